/** The header of a safetensors file, parsed strictly: a hostile file is refused before memory is taken. */
import { expected, FlowError } from '../errors';
import { elementCount } from './bytes';

/** The element types that are read and written, and their bytes. */
export const SAFETENSORS_SIZES = { F32: 4, F64: 8, I32: 4, I64: 8, U8: 1 } as const;

/** An element type by its name in a safetensors file. */
export type SafetensorsDtype = keyof typeof SAFETENSORS_SIZES;

/** The longest header that the format allows, in bytes. */
export const MAX_HEADER_BYTES = 100_000_000;

/** Element types of the format that this library does not read. */
const OTHER_DTYPES = new Set([
  ...['BOOL', 'I8', 'I16', 'U16', 'U32', 'U64', 'F16', 'BF16', 'C64'],
  ...['F4', 'F6_E2M3', 'F6_E3M2', 'F8_E5M2', 'F8_E4M3', 'F8_E8M0', 'F8_E5M2FNUZ', 'F8_E4M3FNUZ'],
]);

/** Where one tensor lies: `begin` and `end` in bytes from the start of the data. */
export interface TensorEntry {
  name: string;
  dtype: SafetensorsDtype;
  shape: number[];
  begin: number;
  end: number;
}

/** The parsed header of a safetensors file. */
export interface SafetensorsHeader {
  /** In the order of the header. */
  entries: TensorEntry[];
  metadata: Map<string, string>;
}

const REMEDY = 'the file is damaged or not a safetensors file; get a good copy of it';

/** An error about the content of a safetensors file. */
export function formatError(
  source: string,
  what: string,
  expectation: string,
  got: string,
  remedy = REMEDY,
): FlowError {
  return new FlowError(
    'FORMAT',
    expected('safetensors', `${source}: ${what}`, expectation, got, remedy),
  );
}

/** A name out of a file, safe to print. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/**
 * Parses the JSON of a header and checks everything that it says against the size of the data.
 *
 * The grammar of a header is so small that it is parsed here and not by `JSON.parse`, which takes
 * the last of two equal keys in silence: two readers could then see two different models.
 *
 * @param bytes the header, without the eight bytes of its length
 * @param dataBytes the bytes that follow the header
 * @param source the file's name, for errors
 * @throws FlowError `FORMAT` for whatever is wrong; `UNSUPPORTED` is not used: a file with another
 *   element type is `FORMAT` too, with the type's name
 */
export function parseHeader(
  bytes: Uint8Array,
  dataBytes: number,
  source: string,
): SafetensorsHeader {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw formatError(source, 'header', 'UTF-8 text', 'bytes that are none');
  }
  const header = new HeaderParser(text, source).parse();
  checkLayout(header.entries, dataBytes, source);
  return header;
}

/** Whether the tensors fill the data exactly, without gap and without overlap. */
function checkLayout(entries: TensorEntry[], dataBytes: number, source: string): void {
  const order = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let position = 0;
  for (const entry of order) {
    const what = `tensor ${quote(entry.name)}`;
    if (entry.begin !== position) {
      const kind = entry.begin < position ? 'an overlap' : 'a gap';
      const got = `${kind}: it begins at ${entry.begin}`;
      throw formatError(source, what, `its data to begin at byte ${position}`, got);
    }
    if (entry.end > dataBytes) {
      const got = `an end at byte ${entry.end}`;
      throw formatError(source, what, `its data within the file's ${dataBytes} bytes`, got);
    }
    position = entry.end;
  }
  if (position !== dataBytes) {
    const got = `${dataBytes} bytes after the header`;
    throw formatError(source, 'data', `${position} bytes, as the header says`, got);
  }
}

/** A parser of exactly `{"name": {"dtype": …, "shape": […], "data_offsets": [b, e]}, …}`. */
class HeaderParser {
  private position = 0;

  constructor(
    private readonly text: string,
    private readonly source: string,
  ) {}

  parse(): SafetensorsHeader {
    // The format asks for the brace as the first byte: no white space before it.
    if (this.text[0] !== '{') this.fail('an object that begins with "{"');
    const names = new Set<string>();
    const entries: TensorEntry[] = [];
    let metadata = new Map<string, string>();
    this.object((name) => {
      if (names.has(name)) this.fail(`each name once, and ${quote(name)} is there twice`);
      names.add(name);
      if (name === '__metadata__') metadata = this.metadata();
      else entries.push(this.entry(name));
    });
    this.space();
    if (this.position !== this.text.length) this.fail('nothing but spaces after the object');
    return { entries, metadata };
  }

  private metadata(): Map<string, string> {
    const metadata = new Map<string, string>();
    this.object((key) => {
      if (metadata.has(key)) this.fail(`each key once, and ${quote(key)} is there twice`);
      metadata.set(key, this.string());
    });
    return metadata;
  }

  private entry(name: string): TensorEntry {
    let dtype: string | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    this.object((key) => {
      if (key === 'dtype' && dtype === undefined) dtype = this.string();
      else if (key === 'shape' && shape === undefined) shape = this.integers();
      else if (key === 'data_offsets' && offsets === undefined) offsets = this.integers();
      else this.fail(`dtype, shape and data_offsets of ${quote(name)}, each once`);
    });
    return this.checkEntry(name, dtype, shape, offsets);
  }

  private checkEntry(name: string, dtype?: string, shape?: number[], offsets?: number[]) {
    const what = `tensor ${quote(name)}`;
    if (dtype === undefined || shape === undefined || offsets?.length !== 2) {
      const got = 'an entry without one of them';
      throw formatError(this.source, what, 'dtype, shape and two data_offsets', got);
    }
    if (!Object.hasOwn(SAFETENSORS_SIZES, dtype)) {
      const known = Object.keys(SAFETENSORS_SIZES).join(', ');
      const remedy = OTHER_DTYPES.has(dtype) ? 'convert the tensor where you save it' : undefined;
      throw formatError(this.source, what, `a dtype out of ${known}`, quote(dtype), remedy);
    }
    const [begin, end] = offsets as [number, number];
    if (end < begin) {
      const got = `[${begin}, ${end}]`;
      throw formatError(this.source, what, 'data_offsets in rising order', got);
    }
    const size = SAFETENSORS_SIZES[dtype as SafetensorsDtype];
    const count = elementCount(shape, Number.MAX_SAFE_INTEGER / size);
    if (count === undefined || count * size !== end - begin) {
      const dims = shape.length > 16 ? `${shape.slice(0, 16).join(', ')}, …` : shape.join(', ');
      const wanted = count === undefined ? 'more than 2^53' : `${count * size}`;
      const expectation = `${wanted} bytes for ${dtype} [${dims}]`;
      throw formatError(this.source, what, expectation, `${end - begin} bytes`);
    }
    return { name, dtype: dtype as SafetensorsDtype, shape, begin, end };
  }

  /** Parses an object; `member` is called after each colon, and parses the value. */
  private object(member: (key: string) => void): void {
    this.take('{');
    this.space();
    if (this.text[this.position] === '}') {
      this.position++;
      return;
    }
    for (;;) {
      const key = this.string();
      this.take(':');
      member(key);
      this.space();
      const next = this.text[this.position++];
      if (next === '}') return;
      if (next !== ',') this.fail('"," or "}"', this.position - 1);
    }
  }

  private string(): string {
    this.take('"');
    const start = this.position - 1;
    for (;;) {
      const code = this.text.charCodeAt(this.position++);
      if (code === 0x22) break;
      if (code === 0x5c) this.position++;
      else if (Number.isNaN(code)) this.fail('a string with its closing quote', start);
    }
    try {
      return JSON.parse(this.text.slice(start, this.position)) as string;
    } catch {
      return this.fail('a string as JSON writes it', start);
    }
  }

  private integers(): number[] {
    const values: number[] = [];
    this.take('[');
    this.space();
    if (this.text[this.position] === ']') {
      this.position++;
      return values;
    }
    for (;;) {
      values.push(this.integer());
      this.space();
      const next = this.text[this.position++];
      if (next === ']') return values;
      if (next !== ',') this.fail('"," or "]"', this.position - 1);
    }
  }

  /** A whole number from 0 to 2^53 − 1, written without sign, point or exponent. */
  private integer(): number {
    this.space();
    const start = this.position;
    while (isDigit(this.text.charCodeAt(this.position))) this.position++;
    const digits = this.text.slice(start, this.position);
    const value = Number(digits);
    const leadingZero = digits.length > 1 && digits[0] === '0';
    if (digits === '' || leadingZero || !Number.isSafeInteger(value)) {
      this.fail('a whole number from 0 to 2^53 − 1', start);
    }
    return value;
  }

  private take(character: string): void {
    this.space();
    if (this.text[this.position] !== character) this.fail(`"${character}"`);
    this.position++;
  }

  private space(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.position);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.position++;
    }
  }

  private fail(expectation: string, at = this.position): never {
    const rest = this.text.slice(at, at + 24);
    const got = rest === '' ? 'its end' : `${quote(rest)} at character ${at}`;
    throw formatError(this.source, 'header', expectation, got);
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** The text of a table: encoding, delimiter and line ends found out, then records as they are read. */
import { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import Papa from 'papaparse';
import { expected, FlowError } from '../../errors';
import { dataError, formatError } from '../table';
import type { ByteSource } from './byteSource';

const READER = 'readCsv';

/** Bytes that are looked at to find out about the delimiter and the line ends. */
const HEAD_BYTES = 1 << 20;
const CHUNK_BYTES = 1 << 20;
/** A record that takes more chunks than this has a quote that never closes. */
const MAX_CHUNKS_A_RECORD = 16;

/** The delimiter of cells that are separated by any number of spaces. */
const SPACES = ' ';

/** How the text of a file is to be cut into records and cells. */
export interface Dialect {
  encoding: 'utf8' | 'utf16le';
  /** Bytes of the byte order mark. */
  markBytes: number;
  delimiter: string;
  newline: '\n' | '\r';
}

/** One record of the file. */
export interface CsvRecord {
  cells: string[];
  /** The line that it begins in, counted from 1. */
  line: number;
}

/**
 * Finds out about encoding, line ends and delimiter from the first bytes of a file.
 *
 * @param delimiter what the user says; found out where undefined
 * @returns the dialect and the first records, for the header to be found
 * @throws FlowError `FORMAT` where the file is not text
 */
export async function detectDialect(
  source: ByteSource,
  delimiter: string | undefined,
): Promise<{ dialect: Dialect; first: CsvRecord[] }> {
  const head = await source.peek(HEAD_BYTES);
  const { encoding, markBytes } = findEncoding(source.path, head);
  let text = new StringDecoder(encoding).write(head.subarray(markBytes));
  // Only a carriage return without any line feed is a line end by itself (old Macintosh files).
  const newline = !text.includes('\n') && text.includes('\r') ? '\r' : '\n';
  if (head.byteLength === HEAD_BYTES) text = wholeLines(text, newline)[0];
  const found = delimiter ?? guessDelimiter(text, newline);
  checkDelimiter(source.path, found);
  const dialect: Dialect = { encoding, markBytes, delimiter: found, newline };
  const sample = Papa.parse<string[]>(text, { delimiter: found, newline, preview: 64 });
  return { dialect, first: new LineCounter(dialect, true).records(sample.data) };
}

function findEncoding(path: string, head: Buffer): Pick<Dialect, 'encoding' | 'markBytes'> {
  if (head[0] === 0xff && head[1] === 0xfe) return { encoding: 'utf16le', markBytes: 2 };
  if (head[0] === 0xfe && head[1] === 0xff) {
    const remedy = 'save the file as UTF-8';
    throw formatError(READER, path, 'UTF-8 or little-endian UTF-16', 'big-endian UTF-16', remedy);
  }
  if (head.includes(0)) {
    throw formatError(READER, path, 'text', 'bytes with zeros among them');
  }
  const marked = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf;
  return { encoding: 'utf8', markBytes: marked ? 3 : 0 };
}

function guessDelimiter(text: string, newline: '\n' | '\r'): string {
  const delimitersToGuess = [',', '\t', ';', '|'];
  const { meta, errors } = Papa.parse<string[]>(text, {
    newline,
    delimitersToGuess,
    preview: 1,
    // Else the empty text after the last line end counts as a line of one cell.
    skipEmptyLines: true,
  });
  const unknown = errors.some((error) => error.code === 'UndetectableDelimiter');
  if (!unknown) return meta.delimiter;
  // The first line may be the name of a single column, of several words.
  const lines = text.split(newline, 64).filter((line) => line.trim() !== '');
  const rest = lines.length > 1 ? lines.slice(1) : lines;
  const spaced = rest.filter((line) => /\S +\S/.test(line));
  return spaced.length > 0 && 2 * spaced.length >= rest.length ? SPACES : ',';
}

function checkDelimiter(path: string, delimiter: string): void {
  const bad = delimiter.length !== 1 || Papa.BAD_DELIMITERS.includes(delimiter);
  if (!bad) return;
  const got = JSON.stringify(delimiter);
  const what = `${path}: delimiter`;
  const sentence = expected(READER, what, 'one character, no quote or line end', got, 'correct it');
  throw new FlowError('ARGUMENT', sentence);
}

/** Cuts text after its last line end. */
function wholeLines(text: string, newline: string): [whole: string, rest: string] {
  const end = text.lastIndexOf(newline) + 1;
  return [text.slice(0, end), text.slice(end)];
}

/**
 * The records of a file in batches, as they are read.
 *
 * @param batch called with some records; what it throws ends the reading
 * @throws FlowError `DATA` for quotes that do not pair
 */
export async function readRecords(
  source: ByteSource,
  dialect: Dialect,
  batch: (records: CsvRecord[]) => void,
): Promise<void> {
  const counter = new LineCounter(dialect, false);
  const stream = Readable.from(textOf(source, dialect, counter), { objectMode: true });
  let chunksWithoutRecord = 0;
  const handle = (results: Papa.ParseResult<string[]>) => {
    const error = results.errors[0];
    // The rows before the error move the counter to its line.
    const records = counter.records(results.data.slice(0, error?.row));
    chunksWithoutRecord = records.length === 0 ? chunksWithoutRecord + 1 : 0;
    if (error !== undefined || chunksWithoutRecord > MAX_CHUNKS_A_RECORD) {
      throw quoteError(source.path, counter.line);
    }
    batch(records);
  };
  try {
    await new Promise<void>((resolve, reject) => {
      Papa.parse<string[], Readable>(stream, {
        delimiter: dialect.delimiter,
        newline: dialect.newline,
        chunk: (results, parser) => {
          try {
            handle(results);
          } catch (error) {
            // In this order: abort calls complete, which would resolve the promise.
            reject(error);
            parser.abort();
          }
        },
        complete: () => resolve(),
        error: reject,
      });
    });
  } finally {
    stream.destroy();
  }
}

function quoteError(path: string, line: number): FlowError {
  const what = `${path}: line ${line}`;
  const got = 'a quote without its partner';
  return dataError(READER, what, 'quotes in pairs around a cell', got, 'correct the line');
}

/** The text of the file in pieces that end where a line ends. */
async function* textOf(
  source: ByteSource,
  dialect: Dialect,
  counter: LineCounter,
): AsyncGenerator<string> {
  await source.fill(Buffer.alloc(dialect.markBytes));
  const decoder = new StringDecoder(dialect.encoding);
  const bytes = Buffer.alloc(CHUNK_BYTES);
  let rest = '';
  for (;;) {
    const count = await source.fill(bytes);
    const text = rest + (count > 0 ? decoder.write(bytes.subarray(0, count)) : decoder.end());
    const [whole, partial] = count === 0 ? [text, ''] : wholeLines(text, dialect.newline);
    rest = partial;
    counter.quotes ||= whole.includes('"');
    // Whole lines only: cut between a closing quote and its line end, the quote would look stray.
    if (whole !== '') yield whole;
    if (count === 0) return;
  }
}

/** Gives records their lines, which are not their numbers: blank lines and cells of several lines. */
class LineCounter {
  line = 1;

  constructor(
    private readonly dialect: Dialect,
    /** Whether the text has had a quote: without one, no cell has several lines. */
    public quotes: boolean,
  ) {}

  /** The records that are not blank. */
  records(rows: string[][]): CsvRecord[] {
    const { delimiter, newline } = this.dialect;
    const records: CsvRecord[] = [];
    for (const row of rows) {
      const line = this.line++;
      if (this.quotes) for (const cell of row) this.line += countOf(cell, newline);
      if (row.length === 1 && row[0]!.trim() === '') continue;
      const cells = delimiter === SPACES ? row.filter((cell) => cell.trim() !== '') : row;
      if (cells.length > 0) records.push({ cells, line });
    }
    return records;
  }
}

function countOf(text: string, character: string): number {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) count++;
  return count;
}

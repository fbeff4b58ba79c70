/** The header of an NPY file: the literal of a Python dictionary, parsed and never evaluated. */

/** What the header of an NPY file says. */
export interface NpyHeader {
  /** The element type in NumPy's notation: `<f8`. A structured type is its source text. */
  descr: string;
  fortran: boolean;
  shape: number[];
}

const STRING = /^(?:'([^'\\]*)'|"([^"\\]*)")/;
const TUPLE = /^\(\s*((?:\d+L?\s*,\s*)*)(\d+L?)?\s*\)/;

/**
 * Parses the literal of a Python dictionary that is the header of an NPY file:
 * `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`, with the keys in any order.
 *
 * @returns the header, or what was expected where the text is something else
 */
export function parseNpyHeader(text: string): NpyHeader | string {
  const header: Partial<NpyHeader> = {};
  let rest = text.trimEnd();
  if (!rest.startsWith('{')) return 'a dictionary, {…}';
  rest = rest.slice(1).trimStart();
  while (rest !== '}') {
    const name = STRING.exec(rest);
    const key = name?.[1] ?? name?.[2];
    rest = rest.slice(name?.[0].length ?? 0).trimStart();
    if (key === undefined || rest[0] !== ':') return 'keys in quotes, each with a colon';
    const length = parseValue(key, rest.slice(1).trimStart(), header);
    if (typeof length === 'string') return length;
    rest = rest.slice(1).trimStart().slice(length).trimStart();
    if (rest[0] === ',') rest = rest.slice(1).trimStart();
    else if (rest !== '}') return 'a comma or the closing brace after each value';
  }
  const { descr, fortran, shape } = header;
  if (descr === undefined || fortran === undefined || shape === undefined) {
    return 'the keys descr, fortran_order and shape';
  }
  return { descr, fortran, shape };
}

/** Parses the value of one key into `header`; gives its length, or what was expected. */
function parseValue(key: string, text: string, header: Partial<NpyHeader>): number | string {
  if (key === 'descr' && header.descr === undefined) return parseDescr(text, header);
  if (key === 'fortran_order' && header.fortran === undefined) {
    const word = /^(True|False)\b/.exec(text)?.[0];
    if (word === undefined) return 'True or False as fortran_order';
    header.fortran = word === 'True';
    return word.length;
  }
  if (key === 'shape' && header.shape === undefined) {
    const match = TUPLE.exec(text);
    // One size needs its comma, (3,), and none allows no comma.
    if (match === null || (match[1] === '' && match[2] !== undefined)) return 'a tuple as shape';
    const sizes = [...match[1]!.split(','), match[2] ?? ''].map((size) => size.trim());
    // Python 2 wrote long integers with an L.
    header.shape = sizes.filter((size) => size !== '').map((size) => Number(size.replace('L', '')));
    if (!header.shape.every(Number.isSafeInteger)) return 'sizes below 2^53 as shape';
    return match[0].length;
  }
  return 'descr, fortran_order and shape, each once';
}

function parseDescr(text: string, header: Partial<NpyHeader>): number | string {
  const match = STRING.exec(text);
  if (match !== null) {
    header.descr = match[1] ?? match[2]!;
    return match[0].length;
  }
  // The fields of a structured type: it is not read, but the error shall name it.
  const end = text.indexOf(']');
  if (text[0] !== '[' || end < 0) return 'a type in quotes as descr';
  const after = text.search(/\]\s*,\s*(['"](?:fortran_order|shape)['"]|\})/);
  header.descr = text.slice(0, (after < 0 ? end : after) + 1);
  return header.descr.length;
}

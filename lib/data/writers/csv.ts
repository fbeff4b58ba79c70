/** Tables as text, with the fewest digits that give the same numbers back. */
import { expected, FlowError } from '../../errors';
import { writeFileAtomic } from '../../io/atomic';
import { array, checkArgument, checkOptions, countOrNone, object, text } from '../../options';

/** Numbers that can be written: `rows · cols`, row-major. A `Table` is one. */
export interface Writable {
  data: ArrayLike<number>;
  rows: number;
  cols: number;
  /** The columns' names; they become the header. */
  columns?: readonly string[] | undefined;
}

/** What {@link writeCsv} takes. */
export interface CsvWriteOptions {
  /** The character between cells; a comma where left out. */
  delimiter?: string;
}

/** Text that is written at once. */
const PIECE_CHARACTERS = 1 << 20;

/**
 * Writes a table as text, atomically, one record a row and a header where there are names.
 *
 * Each number is written with the fewest digits that give the same number back: as float32 where
 * the data are a Float32Array, so that 0.1 is `0.1` and not `0.10000000149011612`. NaN and the
 * infinities are `nan`, `inf` and `-inf`, as Python's readers take them.
 *
 * @throws FlowError `ARGUMENT` where data, rows, cols and names do not fit each other; `FILE` where
 *   the file cannot be written
 */
export async function writeCsv(
  path: string,
  table: Writable,
  options: CsvWriteOptions = {},
): Promise<void> {
  checkArgument('writeCsv', 'table', table, object);
  checkArgument('writeCsv', 'data', table.data, array);
  checkArgument('writeCsv', 'rows', table.rows, countOrNone);
  checkArgument('writeCsv', 'cols', table.cols, countOrNone);
  checkOptions('writeCsv', options, { delimiter: text });
  const { delimiter = ',' } = options;
  const { data, rows, cols, columns } = table;
  if (data.length !== rows * cols) {
    fail('data', `rows · cols = ${rows} · ${cols} numbers`, String(data.length));
  }
  if (columns !== undefined && columns.length !== cols) {
    fail('columns', `${cols} names`, String(columns.length));
  }
  if (delimiter.length !== 1 || /["\r\n\d.eE+-]/.test(delimiter)) {
    fail('delimiter', 'one character that no number has', JSON.stringify(delimiter));
  }
  await writeFileAtomic(path, records(table, delimiter));
}

function fail(what: string, expectation: string, got: string): never {
  throw new FlowError('ARGUMENT', expected('writeCsv', what, expectation, got, 'correct it'));
}

function* records({ data, rows, cols, columns }: Writable, delimiter: string): Generator<string> {
  const format = data instanceof Float32Array ? shortestFloat32 : shortestFloat64;
  let text = columns ? `${columns.map((name) => quoted(name, delimiter)).join(delimiter)}\n` : '';
  for (let row = 0; row < rows; row++) {
    for (let i = row * cols; i < (row + 1) * cols; i++) {
      text += format(data[i]!);
      text += i + 1 < (row + 1) * cols ? delimiter : '\n';
    }
    if (text.length >= PIECE_CHARACTERS) {
      yield text;
      text = '';
    }
  }
  yield text;
}

function quoted(name: string, delimiter: string): string {
  const plain = !name.includes(delimiter) && !/["\r\n]|^\s|\s$|^$/.test(name);
  return plain ? name : `"${name.replaceAll('"', '""')}"`;
}

/** The shortest decimal that reads as the same float64. */
function shortestFloat64(x: number): string {
  if (Number.isFinite(x)) return Object.is(x, -0) ? '-0' : String(x);
  if (Number.isNaN(x)) return 'nan';
  return x > 0 ? 'inf' : '-inf';
}

/** The shortest decimal that reads as the same float32; `x` must be one. */
export function shortestFloat32(x: number): string {
  if (!Number.isFinite(x) || (Number.isInteger(x) && Math.abs(x) < 2 ** 24)) {
    return shortestFloat64(x);
  }
  const size = Math.abs(x);
  const exponent = Math.floor(Math.log10(size));
  // 6 digits always survive the way through float32 unless it is subnormal, and 9 always suffice.
  for (let digits = size < 2 ** -126 ? 1 : 6; digits < 9; digits++) {
    const places = digits - 1 - exponent;
    // Up to 10^22 powers of ten are exact, and the division rounds once: six times as fast as text.
    const power = POWERS[places];
    const rounded = power ? Math.round(x * power) / power : Number(x.toPrecision(digits));
    if (Math.fround(rounded) === x) return String(rounded);
  }
  return String(Number(x.toPrecision(9)));
}

const POWERS = Array.from({ length: 23 }, (_, places) => Number(`1e${places}`));

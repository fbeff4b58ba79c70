/** Tables: what every reader gives and every writer takes, and the errors of data files. */
import { expected, FlowError } from '../errors';
import { list, type Rules, word } from '../options';

/** The numbers of a table, row-major. */
export type TableData = Float32Array | Float64Array | Uint8Array;

/** Rows of numbers as they came out of a file, or as they will go into one. */
export interface Table {
  /** `rows · cols` numbers, row-major. */
  data: TableData;
  /** Samples: the size of the first axis. */
  rows: number;
  /** Numbers a sample: the product of the other axes. */
  cols: number;
  /** The name of each column, where the file has names. */
  columns?: string[];
  /** The shape as the file has it: `[N, D]` for a table, `[N, 28, 28]` for images, `[N]` for labels. */
  shape: number[];
  /** Where the numbers came from: the file's path. */
  source: string;
  /** How many rows were left out because of `missing: 'drop'`. */
  droppedRows?: number;
}

/** A column by its name or by its index, counted from 0. */
export type ColumnKey = string | number;

/** What every reader takes. */
export interface ReadOptions {
  /** The columns to read, in this order. All of them, if left out. */
  columns?: readonly ColumnKey[];
  /** Columns to leave out: a label, a date, a name. */
  exclude?: readonly ColumnKey[];
  /**
   * The element type of the result. If left out: float64 for text, and for binary formats the
   * smallest of uint8, float32 and float64 that holds every value of the file's type exactly.
   */
  dtype?: 'float32' | 'float64' | 'uint8';
  /**
   * What to do about a cell that is empty, NaN, NA, null or infinite: `error` names it and stops
   * (the default), `drop` leaves out its row, `keep` makes it NaN (or ±Infinity). A cell that holds
   * something else is always an error.
   */
  missing?: 'error' | 'drop' | 'keep';
}

/** What each of them must be; what the columns are is found out when the file is open. */
export const readRules: Rules<ReadOptions> = {
  columns: list,
  exclude: list,
  dtype: word('float32', 'float64', 'uint8'),
  missing: word('error', 'drop', 'keep'),
};

/** The array type of a name. */
const TABLE_ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  uint8: Uint8Array,
} as const;

/** An error about what stands in a data file. */
export function dataError(
  reader: string,
  what: string,
  expectation: string,
  got: string,
  remedy: string,
) {
  return new FlowError('DATA', expected(reader, what, expectation, got, remedy));
}

/** An error about a data file that is not what it claims to be. */
export function formatError(
  reader: string,
  what: string,
  expectation: string,
  got: string,
  remedy = 'the file is damaged or of another format; get a good copy of it',
) {
  return new FlowError('FORMAT', expected(reader, what, expectation, got, remedy));
}

/** Text out of a file, safe and short enough to print. */
export function quoteCell(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

/** A column in words: its name, if it has one, and its index. */
export function columnLabel(index: number, names?: readonly string[]): string {
  const name = names?.[index];
  return name === undefined
    ? `column ${index} (counted from 0)`
    : `column ${quoteCell(name)} (index ${index})`;
}

/**
 * The indices of the columns that `columns` and `exclude` leave, in the order asked for.
 *
 * @param count how many columns there are
 * @throws FlowError `ARGUMENT` for a name or an index that is not there, is there more than once,
 *   or where nothing is left
 */
export function selectColumns(
  reader: string,
  source: string,
  count: number,
  names: readonly string[] | undefined,
  { columns, exclude }: ReadOptions,
): number[] {
  const find = (option: string, key: ColumnKey) => {
    const found = typeof key === 'number' ? key : findName(key);
    if (Number.isInteger(found) && found >= 0 && found < count) return found;
    throw argumentError(option, String(key));
  };
  const findName = (key: string) => {
    const first = names?.indexOf(key) ?? -1;
    if (first === -1 || names?.indexOf(key, first + 1) === -1) return first;
    const where = `${source}: column ${quoteCell(key)}`;
    const remedy = 'select it by its index';
    const sentence = expected(reader, where, 'a name that is there once', 'two of it', remedy);
    throw new FlowError('ARGUMENT', sentence);
  };
  const argumentError = (option: string, got: string) => {
    const shown = names?.slice(0, 12).map(quoteCell).join(', ');
    const rest = names !== undefined && names.length > 12 ? ', …' : '';
    const range = count === 1 ? 'the index 0' : `an index from 0 to ${count - 1}`;
    const expectation =
      shown === undefined ? `${range} (there are no names)` : `${range}, or one of ${shown}${rest}`;
    const sentence = expected(reader, `${source}: ${option}`, expectation, got, 'correct it');
    return new FlowError('ARGUMENT', sentence);
  };
  const wanted =
    columns?.map((key) => find('columns', key)) ?? Array.from({ length: count }, (_, i) => i);
  const unwanted = new Set(exclude?.map((key) => find('exclude', key)));
  const left = wanted.filter((index) => !unwanted.has(index));
  if (left.length === 0 && count > 0) {
    const sentence = expected(reader, `${source}: columns`, 'at least one', 'none', 'select some');
    throw new FlowError('ARGUMENT', sentence);
  }
  return left;
}

/** A table of unknown length that grows as rows come in. */
export class TableBuilder {
  /** The memory that rows are written into, `cols` numbers from `offset` on; `keep` makes one count. */
  data: TableData;
  offset = 0;
  rows = 0;

  constructor(
    readonly cols: number,
    private readonly dtype: 'float32' | 'float64' | 'uint8',
    expectedRows: number,
  ) {
    this.data = new TABLE_ARRAYS[dtype](Math.max(1, expectedRows) * cols);
  }

  keep(): void {
    this.rows++;
    this.offset += this.cols;
    if (this.offset + this.cols > this.data.length) {
      const larger = new TABLE_ARRAYS[this.dtype](Math.ceil(this.rows * 1.5 + 16) * this.cols);
      larger.set(this.data);
      this.data = larger;
    }
  }

  /** The rows that were kept, in memory of exactly their size. */
  finish(): TableData {
    return this.data.length === this.offset ? this.data : this.data.slice(0, this.offset);
  }
}

/**
 * Applies the options to numbers that came out of a binary format as a whole: selects columns,
 * looks for NaN and infinities, and converts.
 *
 * @param table all columns, `missing` not yet looked at; `shape` has N as its first axis
 * @throws FlowError `DATA` that names the row and the column of a value that is not finite, and
 *   where no rows are left
 */
export function applyOptions(reader: string, table: Table, options: ReadOptions): Table {
  const selected = pickColumns(reader, table, options);
  const checked = checkValues(reader, selected.table, selected.indices, table, options);
  if (checked.rows === 0 || checked.cols === 0) {
    const dropped = checked.droppedRows;
    const got = dropped === undefined ? 'none' : `none: all ${dropped} had missing values`;
    throw dataError(reader, table.source, 'rows of numbers', got, 'give a file with data');
  }
  return convert(reader, checked, options.dtype);
}

function pickColumns(reader: string, table: Table, options: ReadOptions) {
  const all = Array.from({ length: table.cols }, (_, i) => i);
  if (options.columns === undefined && options.exclude === undefined) {
    return { table, indices: all };
  }
  const indices = selectColumns(reader, table.source, table.cols, table.columns, options);
  const { rows, cols } = table;
  const width = indices.length;
  const data = new (table.data.constructor as Float64ArrayConstructor)(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < width; i++) {
      data[row * width + i] = table.data[row * cols + indices[i]!]!;
    }
  }
  const names = table.columns && { columns: indices.map((index) => table.columns![index]!) };
  return { table: { ...table, ...names, data, cols: width, shape: [rows, width] }, indices };
}

function checkValues(
  reader: string,
  table: Table,
  indices: readonly number[],
  original: Table,
  { missing = 'error' }: ReadOptions,
): Table {
  const { data, rows, cols } = table;
  if (data instanceof Uint8Array || missing === 'keep') return table;
  let kept = 0;
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    let bad = -1;
    for (let i = 0; i < cols && bad < 0; i++) if (!Number.isFinite(data[start + i])) bad = i;
    if (bad >= 0 && missing === 'error') {
      const column = columnLabel(indices[bad]!, original.columns);
      const what = `${table.source}: row ${row} (counted from 0), ${column}`;
      const remedy = `correct it, or read with missing: 'drop' or 'keep'`;
      throw dataError(reader, what, 'a finite number', String(data[start + bad]), remedy);
    }
    if (bad >= 0) continue;
    if (kept < row) data.copyWithin(kept * cols, start, start + cols);
    kept++;
  }
  if (kept === rows) return table;
  const shape = [kept, ...table.shape.slice(1)];
  return {
    ...table,
    data: data.slice(0, kept * cols),
    rows: kept,
    shape,
    droppedRows: rows - kept,
  };
}

function convert(reader: string, table: Table, dtype: ReadOptions['dtype']): Table {
  if (dtype === undefined || table.data instanceof TABLE_ARRAYS[dtype]) return table;
  const data = new TABLE_ARRAYS[dtype](table.data);
  const fits = dtype === 'uint8' ? isByte : fitsFloat32;
  const wrong = dtype === 'float64' ? -1 : table.data.findIndex((x) => !fits(x));
  if (wrong >= 0) {
    const row = Math.floor(wrong / table.cols);
    const column = columnLabel(wrong % table.cols, table.columns);
    const what = `${table.source}: row ${row} (counted from 0), ${column}`;
    const got = String(table.data[wrong]);
    throw dataError(reader, what, `a value that ${dtype} can hold`, got, 'use another dtype');
  }
  return { ...table, data };
}

/** Whether uint8 holds the value exactly. */
export function isByte(x: number): boolean {
  return Number.isInteger(x) && x >= 0 && x <= 255;
}

/** Whether a value does not become infinite as float32. */
export function fitsFloat32(x: number): boolean {
  return Number.isFinite(Math.fround(x)) || !Number.isFinite(x);
}

/** Tables of text: records, their header, numbers, and what is wrong with them. */

import { checkOptions, type Rules, rule, text } from '../../options';
import {
  type ColumnKey,
  columnLabel,
  dataError,
  fitsFloat32,
  isByte,
  quoteCell,
  type ReadOptions,
  readRules,
  selectColumns,
  type Table,
  TableBuilder,
} from '../table';
import { type ByteSource, openByteSource } from './byteSource';
import { parseCell } from './csvCell';
import { type CsvRecord, detectDialect, readRecords } from './csvText';

const READER = 'readCsv';

/** What {@link readCsv} takes. */
export interface CsvOptions extends ReadOptions {
  /**
   * Whether the first record holds the columns' names. `auto` (the default): where it has text and
   * no number, or where its numbers only count: `0,1,2,label`.
   */
  header?: 'auto' | boolean;
  /** The character between cells; found out where left out: comma, tab, semicolon, bar or spaces. */
  delimiter?: string;
  /** Records whose first cell begins with this are left out. */
  comment?: string;
}

/** What each of them must be. */
export const csvRules: Rules<CsvOptions> = {
  ...readRules,
  header: rule("true, false or 'auto'", (value) => typeof value === 'boolean' || value === 'auto'),
  delimiter: text,
  comment: text,
};

/**
 * Reads a table of numbers from text: comma, tab, semicolon, bar or space separated, quoted cells,
 * any line ends, blank lines, UTF-8 or UTF-16 with or without a byte order mark, packed by gzip or
 * not. The file is streamed: apart from the result, memory does not grow with it.
 *
 * @returns `[N, D]`, float64 if not asked otherwise, with the columns' names where there is a header
 * @throws FlowError `DATA` for a record with too many or too few cells, and for a cell that is not
 *   a finite number; the sentence names the file, the line (from 1), and the column by its name and
 *   its index (from 0). `ARGUMENT` for a column that is not there, `FORMAT` for what is not text,
 *   `FILE` where the file cannot be read
 */
export async function readCsv(path: string, options: CsvOptions = {}): Promise<Table> {
  checkOptions('readCsv', options, csvRules);
  const source = await openByteSource(READER, path);
  try {
    return await readCsvFrom(source, options);
  } finally {
    await source.close();
  }
}

async function readCsvFrom(source: ByteSource, options: CsvOptions): Promise<Table> {
  const { path } = source;
  const { dialect, first } = await detectDialect(source, options.delimiter);
  const isComment = ({ cells }: CsvRecord) =>
    options.comment !== undefined && cells[0]!.trimStart().startsWith(options.comment);
  const records = first.filter((record) => !isComment(record));
  if (records.length === 0) {
    throw dataError(READER, path, 'rows of numbers', 'an empty file', 'give a file with data');
  }
  const hasHeader = findHeader(records, options.header ?? 'auto');
  const width = records[0]!.cells.length;
  const names = hasHeader ? records[0]!.cells.map((cell) => cell.trim()) : undefined;
  const indices = selectColumns(READER, path, width, names, options);
  const expectedRows = guessRows(source, first);
  const rows = new RowParser(path, width, names, indices, options, expectedRows);
  let headerToCome = hasHeader;
  await readRecords(source, dialect, (batch) => {
    for (const record of batch) {
      if (isComment(record)) continue;
      if (headerToCome) headerToCome = false;
      else rows.add(record);
    }
  });
  return rows.finish();
}

/** Whether the first record is a header. */
function findHeader(records: readonly CsvRecord[], header: 'auto' | boolean): boolean {
  if (header !== 'auto') return header;
  const values = records[0]!.cells.map((cell) => parseCell(cell));
  if (!values.includes(undefined)) return false;
  const numbers = values.filter((value) => value !== undefined && !Number.isNaN(value));
  if (numbers.length === 0) return true;
  // A number beside text is a damaged first row, and losing it in silence would be worse than an
  // error; but names that count their columns are common.
  const start = numbers[0]!;
  return (
    numbers.length > 1 && (start === 0 || start === 1) && numbers.every((x, i) => x === start + i)
  );
}

/** About how many rows the file has, from the length of its first ones. */
function guessRows(source: ByteSource, first: readonly CsvRecord[]): number {
  if (source.size === undefined) return 1024;
  let bytes = 0;
  for (const { cells } of first) for (const cell of cells) bytes += cell.length + 1;
  return Math.ceil((1.05 * source.size * first.length) / Math.max(1, bytes)) + 16;
}

/** Turns records into rows of numbers, and says what is wrong with those that cannot be. */
class RowParser {
  private readonly builder: TableBuilder;
  private readonly missing: 'error' | 'drop' | 'keep';
  private readonly fits: (x: number) => boolean;
  private dropped = 0;
  private rowsSeen = 0;

  constructor(
    private readonly path: string,
    private readonly width: number,
    private readonly names: string[] | undefined,
    private readonly indices: readonly number[],
    private readonly options: ReadOptions,
    expectedRows: number,
  ) {
    const { dtype = 'float64', missing = 'error' } = options;
    this.missing = missing;
    this.fits = { float64: () => true, float32: fitsFloat32, uint8: isByte }[dtype];
    this.builder = new TableBuilder(indices.length, dtype, expectedRows);
  }

  add({ cells, line }: CsvRecord): void {
    this.rowsSeen++;
    if (cells.length !== this.width) this.failWidth(cells.length, line);
    const { data, offset } = this.builder;
    for (let i = 0; i < this.indices.length; i++) {
      const index = this.indices[i]!;
      const cell = cells[index]!;
      const value = parseCell(cell);
      if (value === undefined) this.failCell(cell, index, line);
      if (!Number.isFinite(value)) {
        if (this.missing === 'error') this.failMissing(cell, index, line);
        if (this.missing === 'drop') {
          this.checkRest(cells, i + 1, line);
          this.dropped++;
          return;
        }
      }
      if (!this.fits(value)) this.failType(cell, index, line);
      data[offset + i] = value;
    }
    this.builder.keep();
  }

  finish(): Table {
    const { rows, cols } = this.builder;
    if (rows === 0) {
      const got = this.dropped > 0 ? `none: all ${this.dropped} had missing values` : 'none';
      throw dataError(READER, this.path, 'rows of numbers', got, 'give a file with data');
    }
    const names = this.names && { columns: this.indices.map((index) => this.names![index]!) };
    const dropped = this.options.missing === 'drop' && { droppedRows: this.dropped };
    const data = this.builder.finish();
    return { data, rows, cols, ...names, shape: [rows, cols], source: this.path, ...dropped };
  }

  /** A row that is dropped for a missing value may still not hold nonsense. */
  private checkRest(cells: readonly string[], from: number, line: number): void {
    for (let i = from; i < this.indices.length; i++) {
      const index = this.indices[i]!;
      if (parseCell(cells[index]!) === undefined) this.failCell(cells[index]!, index, line);
    }
  }

  private what(line: number, index: number): string {
    return `${this.path}: line ${line}, ${columnLabel(index, this.names)}`;
  }

  private failWidth(got: number, line: number): never {
    // The first column that is not there, or that should not be.
    const column = got < this.width ? columnLabel(got, this.names) : columnLabel(this.width);
    const kind = got < this.width ? 'is missing' : 'is one too many';
    const expectation = `${count(this.width, 'cell')}, as in the first line`;
    const remedy = `${column} ${kind}; correct the line, or set the delimiter`;
    throw dataError(READER, `${this.path}: line ${line}`, expectation, count(got, 'cell'), remedy);
  }

  private failCell(cell: string, index: number, line: number): never {
    const header = this.names === undefined && this.rowsSeen === 1 ? ', or set header: true' : '';
    const remedy = `correct the cell, or leave the column out: exclude: [${this.key(index)}]${header}`;
    throw dataError(READER, this.what(line, index), 'a number', quoteCell(cell), remedy);
  }

  private failMissing(cell: string, index: number, line: number): never {
    const got = cell.trim() === '' ? 'an empty cell' : quoteCell(cell);
    const remedy = `correct the cell, or read with missing: 'drop' or 'keep'`;
    throw dataError(READER, this.what(line, index), 'a finite number', got, remedy);
  }

  private failType(cell: string, index: number, line: number): never {
    const expectation = `a value that ${this.options.dtype} can hold`;
    throw dataError(READER, this.what(line, index), expectation, quoteCell(cell), 'use float64');
  }

  private key(index: number): ColumnKey {
    return this.names === undefined ? index : quoteCell(this.names[index]!);
  }
}

function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? '' : 's'}`;
}

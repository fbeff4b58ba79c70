/** The numeric columns of Parquet files. */
import type { FileMetaData, SchemaElement } from 'hyparquet';
import { FlowError } from '../../errors';
import { openFile } from '../../io/file';
import { checkOptions, number, type Rules } from '../../options';
import {
  applyOptions,
  columnLabel,
  dataError,
  formatError,
  quoteCell,
  type ReadOptions,
  readRules,
  selectColumns,
  type Table,
} from '../table';
import { type ColumnPiece, damaged, type OddValue, ParquetDecoder } from './parquetWorker';

const READER = 'readParquet';

/** Logical types that hyparquet turns into something other than a number. */
const NO_NUMBERS = /UTF8|DATE|TIME|JSON|BSON|ENUM|INTERVAL|LIST|MAP/;

/** What {@link readParquet} takes. */
export interface ParquetOptions extends ReadOptions {
  /** Milliseconds without progress after which the file counts as damaged; 20,000 where left out. */
  patience?: number;
}

const parquetRules: Rules<ParquetOptions> = { ...readRules, patience: number };

/**
 * Reads the numeric columns of a Parquet file: integers, floats, decimals and booleans, with any of
 * the format's compressions. Columns of text or dates must be left out by `columns` or `exclude`.
 *
 * @returns `[N, D]` with the columns' names; float32 where all columns are, else float64
 * @throws FlowError `DATA` for a null or a value that is not finite, with row and column;
 *   `ARGUMENT` for a column that is not there; `FORMAT` for a damaged file; `FILE` where it cannot
 *   be read
 */
export async function readParquet(path: string, options: ParquetOptions = {}): Promise<Table> {
  checkOptions('readParquet', options, parquetRules);
  const { patience = 20_000, columns, exclude, ...rest } = options;
  const { handle } = await openFile(READER, path);
  await handle.close();
  const decoder = new ParquetDecoder(path, patience);
  try {
    const metadata = await decoder.metadata();
    const elements = topLevel(path, metadata);
    const names = elements.map((element) => element.name);
    const selection = { ...(columns && { columns }), ...(exclude && { exclude }) };
    const indices = selectColumns(READER, path, names.length, names, selection);
    for (const index of indices) checkNumeric(path, elements[index]!, index, names);
    const single = indices.every((index) => elements[index]!.type === 'FLOAT');
    const wanted = indices.map((index) => names[index]!);
    const pieces = await readPieces(path, decoder, wanted, names);
    const rows = checkRows(path, Number(metadata.num_rows), pieces);
    const cols = wanted.length;
    const data = new (single ? Float32Array : Float64Array)(rows * cols);
    for (const [i, name] of wanted.entries()) {
      for (const { start, values } of pieces.get(name)!) {
        for (let row = 0; row < values.length; row++) data[(start + row) * cols + i] = values[row]!;
      }
    }
    const table = { data, rows, cols, columns: wanted, shape: [rows, cols], source: path };
    return applyOptions(READER, table, rest);
  } catch (error) {
    // Metadata that were decoded may still lack what they should have.
    throw error instanceof FlowError ? error : damaged(path, String(error));
  } finally {
    await decoder.close();
  }
}

async function readPieces(
  path: string,
  decoder: ParquetDecoder,
  wanted: readonly string[],
  names: readonly string[],
): Promise<Map<string, ColumnPiece[]>> {
  const pieces = new Map(wanted.map((name) => [name, [] as ColumnPiece[]]));
  const odd: OddValue[] = [];
  await decoder.columns(
    wanted,
    (piece) => pieces.get(piece.name)?.push(piece),
    (value) => odd.push(value),
  );
  const [first] = odd;
  if (first === undefined) return pieces;
  const column = columnLabel(names.indexOf(first.name), names);
  const what = `${path}: row ${first.row} (counted from 0), ${column}`;
  const expectation = 'a number that float64 can hold';
  throw dataError(READER, what, expectation, quoteCell(first.value), 'leave the column out');
}

/** Whether the pieces of each column are as many rows as the file says, without gap or overlap. */
function checkRows(path: string, rows: number, pieces: Map<string, ColumnPiece[]>): number {
  for (const [name, parts] of pieces) {
    let position = 0;
    for (const { start, values } of parts.sort((a, b) => a.start - b.start)) {
      if (start !== position) break;
      position += values.length;
    }
    if (position === rows) continue;
    const what = `${path}: column ${quoteCell(name)}`;
    throw formatError(READER, what, `${rows} values`, `${position}`);
  }
  return rows;
}

/** The columns of a flat schema. */
function topLevel(path: string, { schema }: FileMetaData): SchemaElement[] {
  const [root, ...elements] = schema;
  const nested = elements.find((element) => (element.num_children ?? 0) > 0);
  if (root === undefined || nested !== undefined) {
    const got = nested === undefined ? 'no schema' : `the nested column ${quoteCell(nested.name)}`;
    const remedy = 'save the numbers as columns of their own';
    throw formatError(READER, path, 'a flat table', got, remedy);
  }
  return elements;
}

function checkNumeric(
  path: string,
  element: SchemaElement,
  index: number,
  names: readonly string[],
): void {
  const logical = element.logical_type?.type ?? element.converted_type ?? '';
  const bytes = element.type === 'BYTE_ARRAY' || element.type === 'FIXED_LEN_BYTE_ARRAY';
  const decimal = /DECIMAL|FLOAT16/.test(logical);
  const repeated = element.repetition_type === 'REPEATED';
  if (!repeated && !NO_NUMBERS.test(logical) && element.type !== 'INT96' && (!bytes || decimal)) {
    return;
  }
  const what = `${path}: ${columnLabel(index, names)}`;
  const got = `${repeated ? 'repeated ' : ''}${element.type} ${logical}`.trim();
  const remedy = `leave it out: exclude: [${quoteCell(element.name)}]`;
  throw dataError(READER, what, 'a column of numbers', got, remedy);
}

import type { FileMetaData, SchemaElement } from 'hyparquet';
import { FlowError } from '../../errors';
import { fileError, openFile, readFully } from '../../io/file';
import {
  applyOptions,
  columnLabel,
  dataError,
  formatError,
  quoteCell,
  type ReadOptions,
  selectColumns,
  type Table,
} from '../table';

const READER = 'readParquet';

/** Logical types that hyparquet turns into something other than a number. */
const NO_NUMBERS = /UTF8|DATE|TIME|JSON|BSON|ENUM|INTERVAL|LIST|MAP/;

/**
 * Reads the numeric columns of a Parquet file: integers, floats, decimals and booleans, with any of
 * the format's compressions. Columns of text or dates must be left out by `columns` or `exclude`.
 *
 * @returns `[N, D]` with the columns' names; float32 where all columns are, else float64
 * @throws FlowError `DATA` for a null or a value that is not finite, with row and column;
 *   `ARGUMENT` for a column that is not there; `FORMAT` for a damaged file; `FILE` where it cannot
 *   be read
 */
export async function readParquet(path: string, options: ReadOptions = {}): Promise<Table> {
  const { handle, size } = await openFile(READER, path);
  try {
    const file = {
      byteLength: size,
      slice: async (start: number, end = size) => {
        if (start < 0 || end > size || start > end) {
          throw new Error(`a range of bytes outside of the file: ${start} to ${end}`);
        }
        const bytes = new Uint8Array(end - start);
        await readFully(handle, bytes, start).catch((error) => {
          throw fileError(READER, path, 'a file that can be read', error);
        });
        return bytes.buffer;
      },
    };
    return await guard(path, () => readColumns(path, file, options));
  } finally {
    await handle.close();
  }
}

interface ParquetFile {
  byteLength: number;
  slice: (start: number, end?: number) => Promise<ArrayBuffer>;
}

async function readColumns(path: string, file: ParquetFile, options: ReadOptions): Promise<Table> {
  // Both packages are ES modules only: this import stays an import in the CommonJS build.
  const { parquetMetadataAsync, parquetRead } = await import('hyparquet');
  const { compressors } = await import('hyparquet-compressors');
  const metadata = await parquetMetadataAsync(file);
  const elements = topLevel(path, metadata);
  const names = elements.map((element) => element.name);
  const indices = selectColumns(READER, path, names.length, names, options);
  for (const index of indices) checkNumeric(path, elements[index]!, index, names);
  const rows = Number(metadata.num_rows);
  const wanted = indices.map((index) => names[index]!);
  const columns = new Map(wanted.map((name) => [name, new ColumnParts()]));
  await parquetRead({
    file,
    metadata,
    compressors,
    columns: wanted,
    onChunk: ({ columnName, columnData, rowStart }) =>
      columns.get(columnName)?.add(rowStart, columnData),
  });
  const single = indices.every((index) => elements[index]!.type === 'FLOAT');
  const cols = indices.length;
  for (const [name, parts] of columns) {
    if (parts.count === rows) continue;
    const what = `${path}: column ${quoteCell(name)}`;
    throw formatError(READER, what, `${rows} values`, `${parts.count}`);
  }
  const data = new (single ? Float32Array : Float64Array)(rows * cols);
  for (const [i, index] of indices.entries()) {
    for (const [start, values] of columns.get(names[index]!)!.parts) {
      for (let row = 0; row < values.length; row++) {
        data[(start + row) * cols + i] = toNumber(path, values[row], start + row, index, names);
      }
    }
  }
  const table = { data, rows, cols, columns: wanted, shape: [rows, cols], source: path };
  const { columns: _, exclude: __, ...rest } = options;
  return applyOptions(READER, table, rest);
}

/** The pieces of one column as they come. */
class ColumnParts {
  readonly parts: [start: number, values: ArrayLike<unknown>][] = [];
  count = 0;

  add(start: number, values: ArrayLike<unknown>): void {
    this.parts.push([start, values]);
    this.count += values.length;
  }
}

/** Whatever the package, or its result, throws on a damaged file, as an error of ours. */
async function guard<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FlowError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const failure = formatError(READER, path, 'a whole Parquet file', message.slice(0, 200));
    throw Object.assign(failure, { cause: error });
  }
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

function toNumber(
  path: string,
  value: unknown,
  row: number,
  index: number,
  names: readonly string[],
): number {
  if (typeof value === 'number') return value;
  if (value === null || value === undefined) return Number.NaN;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) return Number(value);
  const what = `${path}: row ${row} (counted from 0), ${columnLabel(index, names)}`;
  const expectation = 'a number that float64 can hold';
  throw dataError(READER, what, expectation, quoteCell(String(value)), 'leave the column out');
}

/** The body of a binary file: numbers behind a header, in no more memory than the file can fill. */
import { expected, FlowError } from '../../errors';
import {
  bytesOf,
  elementCount,
  HOST_IS_LITTLE_ENDIAN,
  type NumericArray,
  swapElements,
} from '../../io/bytes';
import {
  applyOptions,
  dataError,
  formatError,
  type ReadOptions,
  type Table,
  type TableData,
} from '../table';
import type { ByteSource } from './byteSource';

/** An element type of a binary format: the array that holds its bytes as they are. */
export type ElementArray = new (count: number) => NumericArray;

/** What the header of a binary file says about what follows. */
export interface BinaryLayout {
  shape: number[];
  array: ElementArray;
  itemSize: number;
  littleEndian: boolean;
  /** Whether the first index runs fastest. */
  fortran?: boolean;
}

/**
 * Reads the numbers that follow a header, to the end of the file, and makes a table of them.
 *
 * Memory is taken only after the claimed size was held against what can come: exactly for a plain
 * file, and by the best ratio of deflate for a packed one.
 *
 * @throws FlowError `FORMAT` where the file is shorter or longer than its header says
 */
export async function readBody(
  reader: string,
  source: ByteSource,
  layout: BinaryLayout,
  options: ReadOptions,
): Promise<Table> {
  const { shape, itemSize } = layout;
  const { path } = source;
  const count = elementCount(shape, Number.MAX_SAFE_INTEGER / itemSize);
  const claim = `[${shape.slice(0, 16).join(', ')}]`;
  const bound = source.bound();
  if (count === undefined || count * itemSize > bound) {
    const size = count === undefined ? 'more than 2^53' : `${count * itemSize}`;
    const expectation = `${size} bytes for the shape ${claim} of its header`;
    const got = source.gzip ? `at most ${bound} bytes` : `${bound} bytes`;
    throw formatError(reader, path, expectation, got);
  }
  const raw = new layout.array(count);
  const got = await source.fill(bytesOf(raw));
  const wanted = `${count * itemSize} bytes for the shape ${claim} of its header`;
  if (got < raw.byteLength) throw formatError(reader, path, wanted, `${got} bytes`);
  if ((await source.peek(1)).byteLength > 0) {
    const remedy = 'the header does not fit the file, or several arrays were written into one file';
    throw formatError(reader, path, wanted, 'more', remedy);
  }
  if (layout.littleEndian !== HOST_IS_LITTLE_ENDIAN) swapElements(bytesOf(raw), itemSize);
  const ordered = layout.fortran === true ? toRowMajor(raw, shape) : raw;
  const rows = shape[0] ?? 1;
  const cols = shape.slice(1).reduce((product, size) => product * size, 1);
  // A first axis of zero leaves the others free to be anything.
  if (!Number.isSafeInteger(cols)) {
    throw formatError(reader, path, 'a shape that can be', claim);
  }
  const data = toTableData(reader, path, ordered, cols);
  const table: Table = { data, rows, cols, shape: [...shape], source: path };
  return applyOptions(reader, table, options);
}

/** The same numbers with the last index running fastest; `array` has the first one fastest. */
function toRowMajor(array: NumericArray, shape: readonly number[]): NumericArray {
  const result = new (array.constructor as ElementArray)(array.length) as NumericArray;
  const index = shape.map(() => 0);
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((a, b) => a * b, 1));
  let from = 0;
  for (let to = 0; to < array.length; to++) {
    result[to] = array[from]!;
    // Counts up the index, last axis first, and follows it in the source.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      from += strides[axis]!;
      if (index[axis]! < shape[axis]!) break;
      from -= index[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

/** As an array that a table can have, without loss. */
function toTableData(reader: string, path: string, array: NumericArray, cols: number): TableData {
  if (array instanceof BigInt64Array || array instanceof BigUint64Array) {
    return fromBigInts(reader, path, array, cols);
  }
  if (array instanceof Uint32Array || array instanceof Int32Array) return new Float64Array(array);
  if (array instanceof Int8Array || array instanceof Int16Array || array instanceof Uint16Array) {
    return new Float32Array(array);
  }
  return array;
}

const MOST = BigInt(Number.MAX_SAFE_INTEGER);

function fromBigInts(
  reader: string,
  path: string,
  array: BigInt64Array | BigUint64Array,
  cols: number,
): Float64Array {
  const result = new Float64Array(array.length);
  for (let i = 0; i < array.length; i++) {
    const value = array[i]!;
    if (value > MOST || value < -MOST) {
      const row = Math.floor(i / cols);
      const what = `${path}: row ${row}, column ${i % cols} (counted from 0)`;
      const remedy = 'an identifier is no number to learn from; leave it out, or scale it';
      throw dataError(reader, what, 'a whole number below 2^53', String(value), remedy);
    }
    result[i] = Number(value);
  }
  return result;
}

/** An error about something that is well formed and not read. */
export function unsupported(
  reader: string,
  what: string,
  expectation: string,
  got: string,
  remedy: string,
): FlowError {
  return new FlowError('UNSUPPORTED', expected(reader, what, expectation, got, remedy));
}

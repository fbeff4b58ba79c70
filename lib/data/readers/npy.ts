/** NPY, the format of a NumPy array. */

import { checkOptions } from '../../options';
import { formatError, quoteCell, type ReadOptions, readRules, type Table } from '../table';
import { type BinaryLayout, readBody, unsupported } from './binary';
import { type ByteSource, openByteSource } from './byteSource';
import { parseNpyHeader } from './npyHeader';

const READER = 'readNpy';

/** What an NPY file begins with. */
export const NPY_MAGIC = Buffer.from('\x93NUMPY', 'latin1');

/** A header is a line of text; NumPy itself refuses to evaluate one of more than 10,000 bytes. */
const MAX_HEADER_BYTES = 1 << 20;

/** Element types by NumPy's kind and size. */
const ELEMENTS: Record<string, BinaryLayout['array']> = {
  f4: Float32Array,
  f8: Float64Array,
  i1: Int8Array,
  i2: Int16Array,
  i4: Int32Array,
  i8: BigInt64Array,
  u1: Uint8Array,
  u2: Uint16Array,
  u4: Uint32Array,
  u8: BigUint64Array,
  b1: Uint8Array,
};

/**
 * Reads an array that NumPy saved: versions 1 to 3, little and big endian, C and Fortran order,
 * any number of axes; float32, float64, integers of 8 to 64 bits, and bool.
 *
 * @returns the file's shape, row-major; uint8 and bool are uint8, other types become float32 or
 *   float64, whichever holds them exactly; 64-bit integers past 2^53 are an error
 * @throws FlowError `FORMAT` where the header cannot be read or does not fit the file;
 *   `UNSUPPORTED` for other element types; `DATA` that names the row and the column of a value that
 *   is not finite
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export async function readNpy(path: string, options: ReadOptions = {}): Promise<Table> {
  checkOptions('readNpy', options, readRules);
  const source = await openByteSource(READER, path);
  try {
    return await readBody(READER, source, await readHeader(source), options);
  } finally {
    await source.close();
  }
}

async function readHeader(source: ByteSource): Promise<BinaryLayout> {
  const { path } = source;
  const start = await read(source, NPY_MAGIC.byteLength + 2, 'its first eight bytes');
  if (!start.subarray(0, NPY_MAGIC.byteLength).equals(NPY_MAGIC)) {
    throw formatError(READER, path, 'a file that begins with \\x93NUMPY', 'other bytes');
  }
  const version = start[NPY_MAGIC.byteLength]!;
  if (version < 1 || version > 3) {
    throw formatError(READER, path, 'version 1, 2 or 3', `version ${version}`);
  }
  const wide = version > 1;
  const prefix = await read(source, wide ? 4 : 2, 'the length of its header');
  const length = wide ? prefix.readUInt32LE(0) : prefix.readUInt16LE(0);
  const most = Math.min(MAX_HEADER_BYTES, source.bound());
  if (length > most) {
    throw formatError(READER, path, `a header of at most ${most} bytes`, `${length} bytes`);
  }
  const bytes = await read(source, length, 'its header');
  const text = bytes.toString(version === 3 ? 'utf8' : 'latin1');
  const header = parseNpyHeader(text);
  if (typeof header === 'string') {
    throw formatError(READER, `${path}: header`, header, quoteCell(text));
  }
  return { shape: header.shape, fortran: header.fortran, ...element(path, header.descr) };
}

/** The array of a type such as `<f8`. */
function element(path: string, descr: string) {
  const match = /^([<>|=])([a-zA-Z]\d*)$/.exec(descr);
  const array = match === null ? undefined : ELEMENTS[match[2]!];
  if (match === null || array === undefined) {
    const expectation = `an element type out of ${Object.keys(ELEMENTS).join(', ')}`;
    const remedy = 'save it with array.astype(numpy.float32)';
    throw unsupported(READER, path, expectation, quoteCell(descr), remedy);
  }
  const itemSize = Number(match[2]!.slice(1));
  // "|" is for single bytes; "=" (the order of the writer) is not written by NumPy itself.
  return { array, itemSize, littleEndian: match[1] !== '>' };
}

async function read(source: ByteSource, count: number, what: string): Promise<Buffer> {
  const bytes = Buffer.alloc(count);
  const got = await source.fill(bytes);
  if (got === count) return bytes;
  throw formatError(READER, source.path, `${what} (${count} bytes)`, `${got} bytes`);
}

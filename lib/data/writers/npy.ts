/** Arrays as NPY files. */
import { expected, FlowError } from '../../errors';
import { writeFileAtomic } from '../../io/atomic';
import { elementCount, littleEndianBytes, type NumericArray } from '../../io/bytes';
import { checkArgument, list, object } from '../../options';

/** NumPy's names of the array types. */
const DESCRIPTIONS = new Map<unknown, string>([
  [Float32Array, '<f4'],
  [Float64Array, '<f8'],
  [Int8Array, '|i1'],
  [Int16Array, '<i2'],
  [Int32Array, '<i4'],
  [BigInt64Array, '<i8'],
  [Uint8Array, '|u1'],
  [Uint16Array, '<u2'],
  [Uint32Array, '<u4'],
  [BigUint64Array, '<u8'],
]);

/** NumPy reads arrays of at most this many axes. */
const MAX_AXES = 64;

/** NumPy aligns the data to this many bytes. */
const ALIGNMENT = 64;

/**
 * Writes an array as an NPY file of version 1.0, atomically: little-endian, C order, the element
 * type of the typed array. A `Table` can be given as it is.
 *
 * @throws FlowError `ARGUMENT` where shape and data do not fit each other; `FILE` where the file
 *   cannot be written
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export async function writeNpy(
  path: string,
  array: { data: NumericArray; shape: readonly number[] },
): Promise<void> {
  checkArgument('writeNpy', 'array', array, object);
  checkArgument('writeNpy', 'shape', array.shape, list);
  const { data, shape } = array;
  const descr = DESCRIPTIONS.get(data?.constructor);
  if (descr === undefined) {
    fail('data', 'a typed array of numbers', data?.constructor?.name ?? typeof data);
  }
  if (shape.length > MAX_AXES) fail('shape', `at most ${MAX_AXES} axes`, String(shape.length));
  const whole = shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  if (!whole || elementCount(shape) !== data.length) {
    fail('data', `as many numbers as the shape [${shape.join(', ')}] has`, String(data.length));
  }
  await writeFileAtomic(path, [header(descr, shape), littleEndianBytes(data)]);
}

function fail(what: string, expectation: string, got: string): never {
  throw new FlowError('ARGUMENT', expected('writeNpy', what, expectation, got, 'correct it'));
}

function header(descr: string, shape: readonly number[]): Buffer {
  // One size has its comma, as a Python tuple of one.
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const literal = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const prefix = 10;
  const total = Math.ceil((prefix + literal.length + 1) / ALIGNMENT) * ALIGNMENT;
  const bytes = Buffer.alloc(total, ' ');
  bytes.write('\x93NUMPY\x01\x00', 'latin1');
  bytes.writeUInt16LE(total - prefix, 8);
  bytes.write(literal, prefix, 'latin1');
  bytes[total - 1] = 0x0a;
  return bytes;
}

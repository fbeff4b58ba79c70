/** Typed arrays as bytes, in the order of the machine and of files. */
import { endianness } from 'node:os';

/** Typed arrays that hold plain numbers or 64-bit integers. */
export type NumericArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

/** Whether this machine keeps the lowest byte first. */
export const HOST_IS_LITTLE_ENDIAN = endianness() === 'LE';

/** The bytes of a typed array, without a copy. */
export function bytesOf(array: NumericArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Reverses the bytes of each element of `bytes` in place; `size` is 1, 2, 4 or 8. */
export function swapElements(bytes: Uint8Array, size: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (size === 2) buffer.swap16();
  else if (size === 4) buffer.swap32();
  else if (size === 8) buffer.swap64();
}

/** The bytes of a typed array in little-endian order: a view, or a copy where the host differs. */
export function littleEndianBytes(array: NumericArray): Uint8Array {
  if (HOST_IS_LITTLE_ENDIAN || array.BYTES_PER_ELEMENT === 1) return bytesOf(array);
  const copy = bytesOf(array).slice();
  swapElements(copy, array.BYTES_PER_ELEMENT);
  return copy;
}

/**
 * The product of the sizes of a shape, exact: undefined where it is larger than `limit`.
 * A shape with a zero has no elements, however large the others are.
 */
export function elementCount(
  shape: readonly number[],
  limit = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const size of shape) {
    // Compared by division: the product itself could pass 2^53 and lose digits.
    if (size > limit / count) return undefined;
    count *= size;
  }
  return count;
}

/** Element types, and typed arrays of them. */
import { expected, FlowError } from './errors';

/** Element types, mirrored by native/core/dtype.h: the position in the list is the code in an instruction. */
const names = ['float32', 'float64', 'int32', 'uint8'] as const;

export type DType = (typeof names)[number];
/** The types that arithmetic runs in. */
export type FloatDType = 'float32' | 'float64';
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

const codes = { float32: 0, float64: 1, int32: 2, uint8: 3 } as const;

export function dtypeCode(dtype: DType): number {
  return codes[dtype];
}

/** Relative spacing of the type's numbers at 1. */
export function epsilonOf(dtype: FloatDType): number {
  return dtype === 'float32' ? 2 ** -23 : 2 ** -52;
}

function isDType(value: unknown): value is DType {
  return typeof value === 'string' && (names as readonly string[]).includes(value);
}

/** Throws DTYPE unless the value is the name of a type: JavaScript passes anything. */
export function checkDType(where: string, value: unknown): asserts value is DType {
  if (isDType(value)) return;
  const got = typeof value === 'string' ? value : typeof value;
  throw new FlowError(
    'DTYPE',
    expected(where, 'dtype', 'float32, float64, int32 or uint8', got, 'pass one'),
  );
}

/**
 * A new typed array of `length` elements of the type.
 *
 * @throws FlowError DTYPE when the type is none
 */
export function typedArray(dtype: DType, length: number): TypedArray {
  checkDType('tensor', dtype);
  switch (dtype) {
    case 'float32':
      return new Float32Array(length);
    case 'float64':
      return new Float64Array(length);
    case 'int32':
      return new Int32Array(length);
    case 'uint8':
      return new Uint8Array(length);
  }
}

/** Numbers as an array of the type. */
export function floatArray(
  dtype: FloatDType,
  values: ArrayLike<number>,
): Float32Array | Float64Array {
  return dtype === 'float32' ? Float32Array.from(values) : Float64Array.from(values);
}

/** The type of a typed array's elements, or undefined for one that the library does not store. */
export function dtypeOfArray(array: unknown): DType | undefined {
  if (array instanceof Float32Array) return 'float32';
  if (array instanceof Float64Array) return 'float64';
  if (array instanceof Int32Array) return 'int32';
  if (array instanceof Uint8Array) return 'uint8';
  return undefined;
}

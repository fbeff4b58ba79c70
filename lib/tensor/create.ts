/** Tensors from JavaScript numbers. */
import { type DType, dtypeOfArray, type TypedArray, typedArray } from '../dtype';
import { expected, FlowError } from '../errors';
import { anything, checkOptions } from '../options';
import type { Shape } from '../shape';
import { type Tensor, tensorOfArray } from './tensor';

export type NestedNumbers = number | readonly NestedNumbers[];

function shapeOfNested(values: NestedNumbers): number[] {
  const shape: number[] = [];
  for (let level = values; Array.isArray(level); level = level[0] as NestedNumbers) {
    shape.push(level.length);
    if (level.length === 0) break;
  }
  return shape;
}

function flatten(values: NestedNumbers, shape: Shape, axis: number, into: number[]): void {
  if (typeof values === 'number' && axis === shape.length) {
    into.push(values);
    return;
  }
  if (!Array.isArray(values) || axis >= shape.length || values.length !== shape[axis]) {
    throw new FlowError(
      'SHAPE',
      expected(
        'tensor',
        'values',
        `nested arrays of shape [${shape.join(', ')}] of numbers`,
        Array.isArray(values)
          ? `a row of ${values.length} at depth ${axis}`
          : `${typeof values} at depth ${axis}`,
        'make all rows equally long',
      ),
    );
  }
  for (const value of values) flatten(value, shape, axis + 1, into);
}

const tensorRules = { shape: anything, dtype: anything };

/**
 * A tensor with the given values.
 *
 * @param values a number, nested arrays, or a typed array (whose type is kept unless `dtype` is given)
 * @param options `shape`: default the nesting, or [length]; `dtype`: default float32
 * @throws FlowError SHAPE, DTYPE
 */
export function tensor(
  values: NestedNumbers | TypedArray,
  options: { shape?: Shape; dtype?: DType } = {},
): Tensor {
  checkOptions('tensor', options, tensorRules);
  const own = dtypeOfArray(values);
  if (own !== undefined) {
    const array = values as TypedArray;
    return tensorOfArray(convert(array, options.dtype ?? own), options.shape ?? [array.length]);
  }
  const nested = values as NestedNumbers;
  const shape = shapeOfNested(nested);
  const flat: number[] = [];
  flatten(nested, shape, 0, flat);
  return tensorOfArray(convert(flat, options.dtype ?? 'float32'), options.shape ?? shape);
}

function convert(values: TypedArray | readonly number[], dtype: DType): TypedArray {
  if (dtypeOfArray(values) === dtype) return values as TypedArray;
  const result = typedArray(dtype, values.length);
  result.set(values);
  return result;
}

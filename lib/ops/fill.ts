/** Tensors of one value. */
import { checkDType, type DType } from '../dtype';
import { checkShape, type Shape } from '../shape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { requireTensor } from './check';

/**
 * A tensor of which every element is `value`.
 *
 * @throws FlowError SHAPE, DTYPE when the shape or the type is none; NATIVE when the value does not fit an integer type
 */
export function full(shape: Shape, value: number, dtype: DType = 'float32'): Tensor {
  checkShape('full', shape);
  checkDType('full', dtype);
  const [result] = execute('fill', [], [{ shape, dtype }], [value]) as [Tensor];
  return result;
}

export function zeros(shape: Shape, dtype: DType = 'float32'): Tensor {
  return full(shape, 0, dtype);
}

export function ones(shape: Shape, dtype: DType = 'float32'): Tensor {
  return full(shape, 1, dtype);
}

/** Overwrites every element of `tensor` in place. Not differentiable. */
export function fillInPlace(tensor: Tensor, value: number): void {
  requireTensor('fillInPlace', 'tensor', tensor);
  execute('fill', [], [tensor], [value]);
}

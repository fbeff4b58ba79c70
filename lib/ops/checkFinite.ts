/** Search for values that are not finite. */
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { requireTensors } from './check';

/**
 * The position of the first tensor of the list that holds a NaN or an infinity, or −1.
 *
 * @param tensors float32 or float64
 * @returns one int32, shape [1]
 */
export function checkFinite(tensors: readonly Tensor[]): Tensor {
  requireTensors('checkFinite', 'tensors', tensors);
  return execute('check_finite', tensors, [{ shape: [1], dtype: 'int32' }])[0] as Tensor;
}

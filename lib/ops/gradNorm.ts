/** The global norm of gradients. */
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { requireTensors } from './check';

/**
 * √Σ g² over all elements of all tensors, accumulated in float64 in an order that depends on the sizes only.
 *
 * @param gradients float32 or float64; null counts as zero
 * @returns one float64, shape [1]
 */
export function gradNorm(gradients: readonly (Tensor | null)[]): Tensor {
  requireTensors('gradNorm', 'gradients', gradients, true);
  return execute('grad_norm', gradients, [{ shape: [1], dtype: 'float64' }])[0] as Tensor;
}

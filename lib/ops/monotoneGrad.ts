/** The backward pass of monotone. */
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { refuseSecondGradient } from './check';
import { encodeMonotone, type MonotoneFamily } from './monotoneFamily';

/**
 * Backward of monotone by y and logDet together; linear in both cotangents.
 *
 * @param x [N, D]
 * @param params [N, D·P]
 * @param dy [N, D], or null for zero
 * @param dLogDet [N] float64, or null for zero
 * @returns gradients by x [N, D] and by params [N, D·P]
 */
export function monotoneGrad(
  x: Tensor,
  params: Tensor,
  dy: Tensor | null,
  dLogDet: Tensor | null,
  family: MonotoneFamily,
): { dx: Tensor; dParams: Tensor } {
  refuseSecondGradient('monotone', [x, params, dy, dLogDet]);
  const [dx, dParams] = execute(
    'monotone_grad',
    [x, params, dy, dLogDet],
    [x, params].map(({ shape, dtype }) => ({ shape, dtype })),
    encodeMonotone('monotone', family),
  ) as [Tensor, Tensor];
  return { dx, dParams };
}

/** The backward pass of the affine transformer's inverse direction. */
import type { Tensor } from '../tensor/tensor';
import { type AutoregressiveScale, affineGradDefinition } from './autoregressiveAffineGrad';
import { apply } from './define';

const definition = affineGradDefinition(
  'autoregressive_affine_inverse_grad',
  'autoregressiveAffineInverse',
);

/**
 * Backward of autoregressiveAffineInverse by x and logDet together, from its input y.
 *
 * @param params [N, 2·D]
 * @param y [N, D]
 * @param dx [N, D], or null for zero
 * @param dLogDet [N] float64, or null for zero
 * @returns gradients by y [N, D] and by params [N, 2·D]
 */
export function autoregressiveAffineInverseGrad(
  params: Tensor,
  y: Tensor,
  dx: Tensor | null,
  dLogDet: Tensor | null,
  scale: AutoregressiveScale,
): { dy: Tensor; dParams: Tensor } {
  const [dy, dParams] = apply(definition, [params, y, dx, dLogDet], { scale }) as [Tensor, Tensor];
  return { dy, dParams };
}

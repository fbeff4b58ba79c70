/** The affine transformer of coupling flows, noise → data. */

import { checkArgument, object } from '../options';
import type { Tensor } from '../tensor/tensor';
import { type CouplingOptions, couplingAttributes, couplingDefinition } from './affineCouplingGrad';
import { apply } from './define';

const definition = couplingDefinition('affine_coupling_inverse', 'affineCouplingInverse', 'output');

/**
 * x = (y − t)/s on a range of columns, or on one colour of a checkerboard, and x = y elsewhere; logDet = −Σ log s a sample:
 * the inverse of affineCoupling for the same params. The gradient is fused and cannot be differentiated again.
 *
 * @param y [N·P, C] float32 or float64: the P rows of a sample one after the other
 * @param params [N·P, 2·c]: the shifts t of the c transformed columns, then their raw scales; additive [N·P, c]
 * @returns x [N·P, C], and logDet [N] float64 = log|det ∂x/∂y| for params held fixed, summed in float64
 * @throws FlowError SHAPE, DTYPE, ARGUMENT (scale, gain)
 */
export function affineCouplingInverse(
  y: Tensor,
  params: Tensor,
  options: CouplingOptions = {},
): { x: Tensor; logDet: Tensor } {
  checkArgument('affineCouplingInverse', 'options', options, object);
  const inputs = [y, params, options.gain ?? null];
  const [x, logDet] = apply(
    definition,
    inputs,
    couplingAttributes('affineCouplingInverse', options),
  ) as [Tensor, Tensor];
  return { x, logDet };
}

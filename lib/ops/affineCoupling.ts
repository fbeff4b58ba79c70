/** The affine transformer of coupling flows, data → noise. */

import { checkArgument, object } from '../options';
import type { Tensor } from '../tensor/tensor';
import { type CouplingOptions, couplingAttributes, couplingDefinition } from './affineCouplingGrad';
import { apply } from './define';

const definition = couplingDefinition('affine_coupling', 'affineCoupling', 'input');

/**
 * y = x·s + t on a range of columns, or on one colour of a checkerboard, and y = x elsewhere; logDet = Σ log s a sample,
 * with s of raw by the scale map. This is the direction of NICE (eq. 9) and RealNVP (eq. 7, 8), from data to noise. The
 * gradient is fused and cannot be differentiated again.
 *
 * @param x [N·P, C] float32 or float64: the P rows of a sample one after the other
 * @param params [N·P, 2·c]: the shifts t of the c transformed columns, then their raw scales; additive [N·P, c]
 * @returns y [N·P, C], and logDet [N] float64 = log|det ∂y/∂x| for params held fixed, summed in float64
 * @throws FlowError SHAPE, DTYPE, ARGUMENT (scale, gain)
 */
export function affineCoupling(
  x: Tensor,
  params: Tensor,
  options: CouplingOptions = {},
): { y: Tensor; logDet: Tensor } {
  checkArgument('affineCoupling', 'options', options, object);
  const inputs = [x, params, options.gain ?? null];
  const [y, logDet] = apply(definition, inputs, couplingAttributes('affineCoupling', options)) as [
    Tensor,
    Tensor,
  ];
  return { y, logDet };
}

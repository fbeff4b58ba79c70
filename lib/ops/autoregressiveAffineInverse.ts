/** The affine transformer of autoregressive flows, noise → data. */

import { checkOptions, object } from '../options';
import type { Tensor } from '../tensor/tensor';
import {
  type AffineAttributes,
  type AutoregressiveScale,
  affineOutputs,
  defaultScale,
  encodeScale,
} from './autoregressiveAffineGrad';
import { autoregressiveAffineInverseGrad } from './autoregressiveAffineInverseGrad';
import { apply, type OpDefinition } from './define';

const definition: OpDefinition<AffineAttributes> = {
  name: 'autoregressive_affine_inverse',
  outputs: ([y, params]) =>
    affineOutputs('autoregressiveAffineInverse', y as Tensor, params as Tensor),
  encode: ({ scale }) => encodeScale('autoregressiveAffineInverse', scale),
  saves: { inputs: [0, 1], outputs: [] },
  vjp({ inputs: [y, params], d: [dx, dLogDet], attributes: { scale } }) {
    const { dy, dParams } = autoregressiveAffineInverseGrad(
      params as Tensor,
      y as Tensor,
      dx ?? null,
      dLogDet ?? null,
      scale,
    );
    return [dy, dParams];
  },
};

/**
 * x = y·exp(a) + mu, logDet = Σ a, with a made of raw by the scale map; of the gate, x = (y − mu)·exp(a) + mu: the inverse
 * of autoregressiveAffine for the same params. In an inverse autoregressive flow params depend on y; a MAF's sampling is madeInverse instead.
 * Reference: Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow" (2016). The gradient is
 * fused and cannot be differentiated again.
 *
 * @param y [N, D] float32 or float64
 * @param params [N, 2·D]: mu_0, raw_0, mu_1, raw_1, …; of y's dtype
 * @returns x [N, D], and logDet [N] float64 = log|det ∂x/∂y| for params held fixed, summed in float64
 * @throws FlowError SHAPE, DTYPE, ARGUMENT (scale)
 */
export function autoregressiveAffineInverse(
  y: Tensor,
  params: Tensor,
  options: { readonly scale?: AutoregressiveScale } = {},
): { x: Tensor; logDet: Tensor } {
  checkOptions('autoregressiveAffineInverse', options, { scale: object });
  const { scale = defaultScale } = options;
  const [x, logDet] = apply(definition, [y, params], { scale }) as [Tensor, Tensor];
  return { x, logDet };
}

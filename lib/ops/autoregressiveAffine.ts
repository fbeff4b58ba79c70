/** The affine transformer of autoregressive flows, data → noise. */

import { checkOptions, object } from '../options';
import type { Tensor } from '../tensor/tensor';
import {
  type AffineAttributes,
  type AutoregressiveScale,
  affineOutputs,
  autoregressiveAffineGrad,
  defaultScale,
  encodeScale,
} from './autoregressiveAffineGrad';
import { apply, type OpDefinition } from './define';

const definition: OpDefinition<AffineAttributes> = {
  name: 'autoregressive_affine',
  outputs: ([x, params]) => affineOutputs('autoregressiveAffine', x as Tensor, params as Tensor),
  encode: ({ scale }) => encodeScale('autoregressiveAffine', scale),
  saves: { inputs: [1], outputs: [0] },
  vjp({ inputs: [params], outputs: [y], d: [dy, dLogDet], attributes: { scale } }) {
    const { dx, dParams } = autoregressiveAffineGrad(
      params as Tensor,
      y as Tensor,
      dy ?? null,
      dLogDet ?? null,
      scale,
    );
    return [dx, dParams];
  },
};

/**
 * y = (x − mu)·exp(−a), logDet = −Σ a, with a made of raw by the scale map; of the gate, y = (x − mu)·exp(−a) + mu. Reference: Papamakarios et al., "Masked
 * Autoregressive Flow for Density Estimation" (2017), eq. 4. The gradient is fused and cannot be differentiated again.
 *
 * @param x [N, D] float32 or float64
 * @param params [N, 2·D]: mu_0, raw_0, mu_1, raw_1, …; of x's dtype
 * @returns y [N, D], and logDet [N] float64 = log|det ∂y/∂x|, summed in float64
 * @throws FlowError SHAPE, DTYPE, ARGUMENT (scale)
 */
export function autoregressiveAffine(
  x: Tensor,
  params: Tensor,
  options: { readonly scale?: AutoregressiveScale } = {},
): { y: Tensor; logDet: Tensor } {
  checkOptions('autoregressiveAffine', options, { scale: object });
  const { scale = defaultScale } = options;
  const [y, logDet] = apply(definition, [x, params], { scale }) as [Tensor, Tensor];
  return { y, logDet };
}

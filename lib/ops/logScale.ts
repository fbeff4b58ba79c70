/** The log-scale of the affine transformer as an array of its own, where its sum is not enough. */

import { checkArgument, number, object } from '../options';
import type { Tensor } from '../tensor/tensor';
import { affineScalar } from './affineScalar';
import type { AutoregressiveScale } from './autoregressiveAffineGrad';
import { encodeScale } from './autoregressiveAffineGrad';
import { div } from './binary';
import { abs, softplus, tanh } from './unary';

/**
 * a of raw by a scale map, as {@link autoregressiveAffine} makes it, element by element; by ops that can be differentiated
 * any number of times.
 *
 * @param raw float32 or float64, any shape
 */
export function logScaleOf(raw: Tensor, scale: AutoregressiveScale): Tensor {
  checkArgument('logScaleOf', 'scale', scale, object);
  if ('bound' in scale) checkArgument('logScaleOf', 'scale.bound', scale.bound, number);
  if ('bias' in scale) checkArgument('logScaleOf', 'scale.bias', scale.bias, number);
  encodeScale('logScaleOf', scale);
  switch (scale.kind) {
    case 'none':
      return raw;
    case 'additive':
      return affineScalar(raw, 0);
    case 'gate':
      return softplus(affineScalar(raw, -1, -scale.bias));
    case 'tanh':
      return affineScalar(tanh(affineScalar(raw, 1 / scale.bound)), scale.bound);
    case 'softClamp':
      return div(raw, affineScalar(abs(raw), 1 / scale.bound, 1));
  }
}

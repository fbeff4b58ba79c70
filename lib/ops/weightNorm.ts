/** Weights as a direction and a length. */
import type { Tensor } from '../tensor/tensor';
import { div, mul } from './binary';
import { requireFloat, requireSameDType, requireShape } from './check';
import { reshape } from './reshape';
import { sum } from './sum';
import { sqrt, square } from './unary';

/** ‖v_o‖ of each row, [out]. */
export function rowNorms(v: Tensor): Tensor {
  return sqrt(sum(square(v), -1));
}

/**
 * W_o = gain_o · v_o/‖v_o‖, row by row: Salimans, Kingma 2016, "Weight Normalization", eq. 2. Differentiable any number of
 * times. A row of zeros has no direction: it becomes NaN.
 *
 * @param v [out, in]
 * @param gain [out]
 */
export function weightNorm(v: Tensor, gain: Tensor): Tensor {
  requireFloat('weightNorm', 'v', v);
  requireSameDType('weightNorm', 'gain', gain, v);
  requireShape('weightNorm', 'gain', gain, [v.rows], 'one number a row of v');
  return mul(v, reshape(div(gain, rowNorms(v)), [v.rows, 1]));
}

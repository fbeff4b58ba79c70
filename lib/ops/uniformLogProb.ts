/** The uniform density on a box. */

import { checkArgument, number } from '../options';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { affineScalar } from './affineScalar';
import { greaterEqual, sub } from './binary';
import { requireFloat } from './check';
import { sum } from './sum';
import { log } from './unary';

/**
 * Row log-density of the uniform distribution on [low, high)ᴰ: −D·log(high − low) inside, −∞ outside (and at NaN).
 * Its gradient is zero.
 *
 * @param z [N, D] float
 * @returns [N] float64
 */
export function uniformLogProb(z: Tensor, low: number, high: number): Tensor {
  requireFloat('uniformLogProb', 'z', z);
  checkArgument('uniformLogProb', 'low', low, number);
  checkArgument('uniformLogProb', 'high', high, number);
  return scope(() => {
    const inside = sub(greaterEqual(z, low), greaterEqual(z, high));
    return affineScalar(
      sum(log(inside), -1, { dtype: 'float64' }),
      1,
      -z.cols * Math.log(high - low),
    );
  });
}

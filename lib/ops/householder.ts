/** Products of Householder reflections. */
import { expected, FlowError } from '../errors';
import { checkOptions, flag } from '../options';
import { formatShape } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { affineScalar } from './affineScalar';
import { mul, sub } from './binary';
import { requireFloat, requireSameDType } from './check';
import { matmul } from './matmul';
import { reshape } from './reshape';
import { sum } from './sum';
import { triangularSolve } from './triangularSolve';
import { reciprocal, sqrt, square } from './unary';

/**
 * Reflects each row of x at the hyperplanes orthogonal to v_1, v_2, … v_K, one after the other:
 * y = H_K ⋯ H_1 x, H_k = I − 2 v_k v_kᵀ / ‖v_k‖². Tomczak, Welling 2016, "Improving Variational Auto-Encoders using
 * Householder Flow", eq. 7.
 *
 * All reflections at once: with the rows u_k = √2 v_k/‖v_k‖ of V and S = I + the part of V Vᵀ above its diagonal,
 * H_1 ⋯ H_K = I − Vᵀ S⁻¹ V (Joffrain et al. 2006, "Accumulating Householder transformations, revisited"): two products
 * and a triangular solve.
 *
 * @param x [.., C]
 * @param v [K, C]; a row of zeros gives NaN
 * @param options.reverse the reflections in the other order: the inverse; default false
 * @returns [.., C]
 * @throws FlowError SHAPE, DTYPE
 */
export function householder(
  x: Tensor,
  v: Tensor,
  options: { readonly reverse?: boolean } = {},
): Tensor {
  checkOptions('householder', options, { reverse: flag });
  requireFloat('householder', 'x', x);
  requireSameDType('householder', 'v', v, x);
  if (v.shape.length !== 2 || v.cols !== x.cols || v.rows === 0) {
    throw new FlowError(
      'SHAPE',
      expected(
        'householder',
        'v',
        `shape [K, ${x.cols}] for x ${formatShape(x.shape)}`,
        formatShape(v.shape),
        'pass one vector a row, as long as a row of x',
      ),
    );
  }
  const lengths = reshape(sum(square(v), -1), [v.rows, 1]);
  const u = mul(v, affineScalar(reciprocal(sqrt(lengths)), Math.SQRT2, 0));
  const s = matmul(u, u, { transposeB: true });
  const z = triangularSolve(s, matmul(x, u, { transposeB: true }), {
    lower: false,
    unitDiagonal: true,
    transpose: options.reverse ?? false,
  });
  return sub(x, matmul(z, u));
}

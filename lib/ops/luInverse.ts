/** Inverses of matrices that are known by their triangles. */
import { type LuComposed, type LuListOp, type LuTriangles, luList } from './luCompose';
import { matmul } from './matmul';
import { neg } from './unary';

/** Channels up to which a matrix is inverted; with more, {@link luSolve} substitutes faster. */
export const luInverseChannels = 64;

const inversion: LuListOp = {
  name: 'lu_inverse',
  where: 'luInverse',
  // dW = −Vᵀ·dV·Vᵀ, V = W⁻¹.
  gradient: (v, d) => neg(matmul(matmul(v, d, { transposeA: true }), v, { transposeB: true })),
  savesMade: true,
};

/**
 * W⁻¹ of many matrices W by their triangles (see {@link luCompose}), of any sizes up to {@link luInverseChannels} and one dtype, in one
 * instruction: by substitution in float64, rounded. `logAbsDet` is log|det W|. The gradient cannot be differentiated again.
 *
 * @throws FlowError SHAPE, DTYPE, ARGUMENT (form); NATIVE where rows is no permutation, a scale is 0, a matrix is too large
 */
export function luInverseAll(all: readonly LuTriangles[]): LuComposed[] {
  return luList(inversion, all);
}

/** The triangular residual map in the middle of a Sylvester flow, with an exact inverse. */
import { expected, FlowError } from '../errors';
import { formatShape } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { refuseSecondGradient, requireFloat, requireSameDType } from './check';
import { apply, type OpDefinition } from './define';
import { sumTo } from './sum';

interface Attributes {
  readonly inverse: boolean;
}

const encode = ({ inverse }: Attributes) => [inverse ? 1 : 0];

const gradient: OpDefinition<Attributes> = {
  name: 'sylvester_grad',
  outputs([v, params]) {
    const { shape, dtype, rows } = v as Tensor;
    return [
      { shape, dtype },
      { shape: [rows, (params as Tensor).cols], dtype },
    ];
  },
  encode,
  saves: { inputs: [], outputs: [] },
  vjp({ d }) {
    refuseSecondGradient('sylvesterMap', d);
    return [null, null, null, null];
  },
};

function backward(
  v: Tensor,
  params: Tensor,
  d: readonly (Tensor | null | undefined)[],
  attributes: Attributes,
): readonly (Tensor | null)[] {
  const [dOut = null, dLogDet = null] = d;
  refuseSecondGradient('sylvesterMap', [v, params, dOut, dLogDet]);
  const [dIn, dParams] = apply(gradient, [v, params, dOut, dLogDet], attributes);
  return [dIn as Tensor, sumTo(dParams as Tensor, params.shape)];
}

function outputs(where: string, v: Tensor, params: Tensor) {
  requireFloat(where, 'v', v);
  requireSameDType(where, 'params', params, v);
  const count = v.cols * v.cols + 3 * v.cols;
  if (
    v.shape.length !== 2 ||
    v.cols < 1 ||
    params.shape.length !== 2 ||
    params.cols !== count ||
    (params.rows !== v.rows && params.rows !== 1)
  ) {
    throw new FlowError(
      'SHAPE',
      expected(
        where,
        'params',
        `shape [N, M² + 3·M] = [${v.rows}, ${count}] or [1, ${count}] for ${formatShape(v.shape)}`,
        formatShape(params.shape),
        'pass the matrix of both triangles, the two diagonals and the shift, side by side',
      ),
    );
  }
  return [
    { shape: v.shape, dtype: v.dtype },
    { shape: [v.rows], dtype: 'float64' as const },
  ];
}

const forward: OpDefinition<Attributes> = {
  name: 'sylvester',
  outputs: ([v, params]) => outputs('sylvesterMap', v as Tensor, params as Tensor),
  encode,
  saves: { inputs: [0, 1], outputs: [] },
  vjp: ({ inputs: [v, params], d, attributes }) =>
    backward(v as Tensor, params as Tensor, d, attributes),
};

const inverse: OpDefinition<Attributes> = {
  name: 'sylvester',
  outputs([y, params]) {
    const shape = [(y as Tensor).rows];
    return [
      ...outputs('sylvesterMapInverse', y as Tensor, params as Tensor),
      { shape, dtype: 'int32' },
      { shape, dtype: 'float64' },
      { shape, dtype: 'int32' },
    ];
  },
  encode,
  saves: { inputs: [1], outputs: [0] },
  vjp: ({ inputs: [params], outputs: [v], d, attributes }) =>
    backward(v as Tensor, params as Tensor, d, attributes),
};

/**
 * y = v + R·tanh(S·v + b), R and S upper triangular with diagonals r and s: what a Sylvester flow does in its M
 * directions. van den Berg, Hasenclever, Tomczak, Welling 2018, "Sylvester Normalizing Flows for Variational Inference",
 * eq. 8. Invertible where r·s > −1 in each row. The gradient is fused and cannot be differentiated again.
 *
 * @param v [N, M] float32 or float64
 * @param params [N, M² + 3·M], or one row for all: F row by row (R_ij = F_ij and S_ij = F_ji for i < j; its diagonal is
 *   not read), r [M], s [M], b [M]
 * @returns y [N, M], and logDet [N] float64 = Σ log(1 + r_i s_i·(1 − tanh²)), summed in float64
 * @throws FlowError SHAPE, DTYPE
 */
export function sylvesterMap(v: Tensor, params: Tensor): { y: Tensor; logDet: Tensor } {
  const [y, logDet] = apply(forward, [v, params], { inverse: false }) as [Tensor, Tensor];
  return { y, logDet };
}

/**
 * The inverse of {@link sylvesterMap}: M equations a + m·tanh(a) = c, one after another from the last row on, each by Newton's
 * steps inside of a bracket that cannot lose the root. Gradients by the implicit function theorem, through two
 * triangular substitutions.
 *
 * @param y [N, M]
 * @returns v [N, M], logDet [N] float64 = log|det ∂v/∂y|, and of each row: iterations int32 [N] of its longest root,
 *   residual float64 [N] relative to |a| + |m| + |c|, converged int32 [N]: 1 where every root is as near as the type lets
 *   it be (eight roundings)
 * @throws FlowError SHAPE, DTYPE
 */
export function sylvesterMapInverse(y: Tensor, params: Tensor) {
  const [v, logDet, iterations, residual, converged] = apply(inverse, [y, params], {
    inverse: true,
  }) as [Tensor, Tensor, Tensor, Tensor, Tensor];
  return { v, logDet, solve: { iterations, residual, converged } };
}

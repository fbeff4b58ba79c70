/** Increasing functions of each number of a row, with parameters of its own: the inverse, by root finding. */
import type { Tensor } from '../tensor/tensor';
import { add, div } from './binary';
import { apply, type OpDefinition } from './define';
import { full } from './fill';
import { checkMonotone, type MonotoneAttributes } from './monotone';
import { encodeMonotone, type MonotoneFamily } from './monotoneFamily';
import { monotoneGrad } from './monotoneGrad';
import { neg } from './unary';

const definition: OpDefinition<MonotoneAttributes> = {
  name: 'monotone_inverse',
  outputs([y, params], { family }) {
    checkMonotone('monotoneInverse', y as Tensor, params as Tensor, family);
    const { shape, rows, dtype } = y as Tensor;
    return [
      { shape, dtype },
      { shape: [rows], dtype: 'float64' },
      { shape: [rows], dtype: 'int32' },
      { shape: [rows], dtype: 'float64' },
      { shape: [rows], dtype: 'int32' },
    ];
  },
  encode: ({ family }) => encodeMonotone('monotoneInverse', family),
  saves: { inputs: [1], outputs: [0] },
  // The implicit function theorem at the root: docs/maths.md.
  vjp({ inputs: [p], outputs: [x], d: [dx, dLogDet], attributes: { family } }) {
    const [root, params] = [x as Tensor, p as Tensor];
    const slope = monotoneGrad(root, params, full(root.shape, 1, root.dtype), null, family).dx;
    const dSlopes = dLogDet ? neg(dLogDet) : null;
    let byRoot = dx ?? null;
    if (dSlopes) {
      const more = monotoneGrad(root, params, null, dSlopes, family).dx;
      byRoot = byRoot ? add(byRoot, more) : more;
    }
    if (!byRoot) return [null, null];
    const dy = div(byRoot, slope);
    return [dy, monotoneGrad(root, params, neg(dy), dSlopes, family).dParams];
  },
};

/** What {@link monotoneInverse} gives. */
export interface MonotoneRoots {
  /** [N, D] */
  readonly x: Tensor;
  /** [N] float64: Σ log dx_i/dy_i. */
  readonly logDet: Tensor;
  /** [N] int32: evaluations that the hardest dimension took. */
  readonly iterations: Tensor;
  /** [N] float64: the largest |f(x) − y|, relative to 1 + |y| + |x|·f′(x) + the size of the terms of f. */
  readonly residual: Tensor;
  /** [N] int32: 1 where every residual is below 64 eps of the type. */
  readonly converged: Tensor;
}

/**
 * x with f(x_i; p_i) = y_i for each number: Newton's method inside of a bracket that is known to hold the root, halved where Newton
 * is slow; all dimensions and samples side by side. The gradient is that of the implicit function theorem, and cannot be
 * differentiated again.
 *
 * @param y [N, D] float32 or float64
 * @param params [N, D·P], as `monotone` has them
 * @throws FlowError SHAPE, DTYPE, ARGUMENT (family)
 */
export function monotoneInverse(y: Tensor, params: Tensor, family: MonotoneFamily): MonotoneRoots {
  const made = apply(definition, [y, params], { family });
  const [x, logDet, iterations, residual, converged] = made as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  return { x, logDet, iterations, residual, converged };
}

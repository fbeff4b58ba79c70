/** Increasing functions of each number of a row, with parameters of its own: forward. */
import type { Tensor } from '../tensor/tensor';
import { requireFloat, requireSameDType, requireShape } from './check';
import { apply, type OpDefinition } from './define';
import { leadingOf } from './matmul';
import { encodeMonotone, type MonotoneFamily, monotoneParams } from './monotoneFamily';
import { monotoneGrad } from './monotoneGrad';

export interface MonotoneAttributes {
  readonly family: MonotoneFamily;
}

/** Checks x [N, D] and params [N, D·P]. */
export function checkMonotone(
  where: string,
  x: Tensor,
  params: Tensor,
  family: MonotoneFamily,
): void {
  encodeMonotone(where, family);
  requireFloat(where, 'x', x);
  requireSameDType(where, 'params', params, x);
  const each = monotoneParams(family);
  requireShape(
    where,
    'params',
    params,
    [...leadingOf(x), each * x.cols],
    `the conditioner gives ${each} parameters for each dimension, side by side`,
  );
}

const definition: OpDefinition<MonotoneAttributes> = {
  name: 'monotone',
  outputs([x, params], { family }) {
    checkMonotone('monotone', x as Tensor, params as Tensor, family);
    const { shape, rows, dtype } = x as Tensor;
    return [
      { shape, dtype },
      { shape: [rows], dtype: 'float64' },
    ];
  },
  encode: ({ family }) => encodeMonotone('monotone', family),
  saves: { inputs: [0, 1], outputs: [] },
  vjp({ inputs: [x, params], d: [dy, dLogDet], attributes: { family } }) {
    const { dx, dParams } = monotoneGrad(
      x as Tensor,
      params as Tensor,
      dy ?? null,
      dLogDet ?? null,
      family,
    );
    return [dx, dParams];
  },
};

/**
 * y_i = f(x_i; p_i) for each number, f increasing. The gradient is fused and cannot be differentiated again.
 *
 * @param x [N, D] float32 or float64
 * @param params [N, D·P], the P parameters of dimension i in the columns i·P … i·P + P − 1; of x's dtype
 * @returns y [N, D], and logDet [N] float64 = Σ log f′(x_i)
 * @throws FlowError SHAPE, DTYPE, ARGUMENT (family)
 */
export function monotone(
  x: Tensor,
  params: Tensor,
  family: MonotoneFamily,
): { y: Tensor; logDet: Tensor } {
  const [y, logDet] = apply(definition, [x, params], { family }) as [Tensor, Tensor];
  return { y, logDet };
}

/** Maximum and log-sum-exp by axis. Sums and means: sum.ts. */
import { isTracked } from '../autograd/tape';
import type { Tensor } from '../tensor/tensor';
import { mul, sub } from './binary';
import { refuseSecondGradient } from './check';
import { apply, type OpDefinition } from './define';
import {
  type Axis,
  encodeReduction,
  expand,
  type ReduceOptions,
  type Reduction,
  reducedShape,
  reductionOf,
  unreduced,
} from './sum';
import { exp } from './unary';

const gradient: OpDefinition<Reduction> = {
  name: 'reduce_grad',
  outputs: ([x]) => [{ shape: (x as Tensor).shape, dtype: (x as Tensor).dtype }],
  encode: encodeReduction,
  saves: { inputs: [], outputs: [] },
  vjp({ d }) {
    refuseSecondGradient('max', d);
    return [null, null, null];
  },
};

const definition: OpDefinition<Reduction> = {
  name: 'reduce',
  outputs: (_inputs, attributes) => [{ shape: reducedShape(attributes), dtype: attributes.to }],
  encode: (attributes) => [...encodeReduction(attributes), 1],
  saves: { inputs: [0], outputs: [0] },
  vjp({ inputs: [saved], outputs: [result], d: [dy], attributes }) {
    const [x, y, d] = [saved as Tensor, result as Tensor, dy as Tensor];
    if (!isTracked([x, y, d])) return [apply(gradient, [x, y, d], attributes)[0] as Tensor];
    if (attributes.kind === 'max') refuseSecondGradient('max', [x, y, d]);
    const { shape, from } = attributes;
    const wide = (small: Tensor) => expand(unreduced(small, attributes), shape, { dtype: from });
    return [mul(wide(d), exp(sub(x, wide(y))))];
  },
};

/**
 * The largest value. NaN where one is NaN, −∞ of nothing. The gradient goes to the first element that has it.
 *
 * @param axis 0: over the rows → [C]; −1: over the channels → [N]; left out: over all → []
 */
export function max(x: Tensor, axis?: Axis, options: ReduceOptions = {}): Tensor {
  return apply(definition, [x], reductionOf('max', x, axis, options))[0] as Tensor;
}

/**
 * log Σ exp(x), stable for any size of x; −∞ where all are −∞, and of nothing.
 *
 * @param axis as of {@link max}
 */
export function logSumExp(x: Tensor, axis?: Axis, options: ReduceOptions = {}): Tensor {
  return apply(definition, [x], reductionOf('logSumExp', x, axis, options))[0] as Tensor;
}

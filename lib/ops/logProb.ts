/** Log-densities, one number a sample, summed in float64. */
import { isTracked } from '../autograd/tape';
import type { FloatDType } from '../dtype';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { affineScalar } from './affineScalar';
import { mul, sub } from './binary';
import { requireFloat, requireSameDType, requireShape } from './check';
import { apply, type OpDefinition } from './define';
import { contiguous, reshape } from './reshape';
import { expand } from './sum';
import { neg, sigmoid, tanh } from './unary';

/** Mirrored by native/ops/log_prob.cc. */
const kinds = { normal: 0, logistic: 1, bernoulli: 2 } as const;
type Kind = keyof typeof kinds;

interface Attributes {
  readonly kind: Kind;
}

/** d [N] float64 by row, in the shape and type of z. */
function byRow(d: Tensor, z: Tensor): Tensor {
  return expand(reshape(d, [...d.shape, 1]), z.shape, { dtype: z.dtype as FloatDType });
}

/** The gradients by differentiable ops: under a tape. */
function composed(kind: Kind, z: Tensor, x: Tensor | null, d: Tensor): (Tensor | null)[] {
  const wide = byRow(d, z);
  if (kind === 'normal') return [mul(wide, neg(z))];
  if (kind === 'logistic') return [mul(wide, neg(tanh(affineScalar(z, 0.5))))];
  return [mul(wide, sub(x as Tensor, sigmoid(z))), mul(wide, z)];
}

const definition: OpDefinition<Attributes> = {
  name: 'log_prob',
  outputs([z]) {
    return [{ shape: (z as Tensor).shape.slice(0, -1), dtype: 'float64' }];
  },
  encode: ({ kind }) => [kinds[kind]],
  saves: { inputs: [0, 1], outputs: [] },
  vjp({ inputs, d: [dy], needs, attributes: { kind } }) {
    const [z, x] = [inputs[0] as Tensor, inputs[1] ?? null];
    const d = contiguous(dy as Tensor);
    if (isTracked([z, x, d])) return composed(kind, z, x, d);
    const like = { shape: z.shape, dtype: z.dtype };
    const wanted = [needs[0] ? like : null, needs[1] ? like : null];
    const made = execute('log_prob_grad', x ? [z, d, x] : [z, d], wanted, [kinds[kind]]);
    let next = 0;
    return needs.map((need) => (need ? (made[next++] as Tensor) : null));
  },
};

function logProb(kind: Kind, op: string, what: string, z: Tensor, x?: Tensor): Tensor {
  requireFloat(op, what, z);
  if (z.shape.length === 0) requireShape(op, what, z, [1], 'pass one row a sample: [N, D]');
  if (x) {
    requireSameDType(op, 'x', x, z);
    requireShape(op, 'x', x, z.shape, 'x and logits must be of one shape');
  }
  return apply(definition, x ? [z, x] : [z], { kind })[0] as Tensor;
}

/**
 * Log-density of the standard normal: Σ_d (−½ z_d² − ½ log 2π).
 *
 * @param z float32 or float64 [N, D]
 * @returns float64 [N]
 */
export function normalLogProb(z: Tensor): Tensor {
  return logProb('normal', 'normalLogProb', 'z', z);
}

/**
 * Log-density of the logistic distribution with mean 0 and scale 1: Σ_d (−|z_d| − 2 log(1 + exp(−|z_d|))).
 *
 * @param z float32 or float64 [N, D]
 * @returns float64 [N]
 */
export function logisticLogProb(z: Tensor): Tensor {
  return logProb('logistic', 'logisticLogProb', 'z', z);
}

/**
 * Log-probability of x under independent Bernoulli variables: Σ_d (x·log σ(l) + (1 − x)·log σ(−l)), stable for logits l
 * of any size.
 *
 * @param logits float32 or float64 [N, D]
 * @param x of the same shape and type; 0 or 1, or between
 * @returns float64 [N]
 */
export function bernoulliLogProb(logits: Tensor, x: Tensor): Tensor {
  return logProb('bernoulli', 'bernoulliLogProb', 'logits', logits, x);
}

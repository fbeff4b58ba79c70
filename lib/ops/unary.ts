/** Functions of one variable, by element. */
import { isTracked } from '../autograd/tape';
import { expected, FlowError } from '../errors';
import { checkArgument, number, word } from '../options';
import type { Tensor } from '../tensor/tensor';
import { affineScalar } from './affineScalar';
import { div, greaterEqual, mul } from './binary';
import { requireFloat } from './check';
import { apply, type OpDefinition } from './define';
import { where } from './where';

interface Kind {
  /** What the derivative reads: the input or the output. */
  readonly reads: 'x' | 'y';
  /** The vjp by differentiable ops, of what `reads` names. Left out where the derivative is locally constant. */
  readonly composed?: (d: Tensor, saved: Tensor, p: number) => Tensor;
}

/** In the order of native/math/unary.h. */
const kinds = {
  neg: { reads: 'x' },
  abs: { reads: 'x' },
  square: { reads: 'x', composed: (d, x) => mul(d, affineScalar(x, 2)) },
  sqrt: { reads: 'y', composed: (d, y) => div(d, affineScalar(y, 2)) },
  reciprocal: { reads: 'y', composed: (d, y) => mul(d, neg(square(y))) },
  exp: { reads: 'y', composed: (d, y) => mul(d, y) },
  expm1: { reads: 'y', composed: (d, y) => mul(d, affineScalar(y, 1, 1)) },
  log: { reads: 'x', composed: (d, x) => div(d, x) },
  log1p: { reads: 'x', composed: (d, x) => div(d, affineScalar(x, 1, 1)) },
  tanh: { reads: 'y', composed: (d, y) => mul(d, affineScalar(square(y), -1, 1)) },
  sigmoid: { reads: 'y', composed: (d, y) => mul(d, mul(y, affineScalar(y, -1, 1))) },
  logSigmoid: { reads: 'x', composed: (d, x) => mul(d, sigmoid(neg(x))) },
  softplus: { reads: 'x', composed: (d, x) => mul(d, sigmoid(x)) },
  relu: { reads: 'y' },
  leakyRelu: { reads: 'x' },
  elu: {
    reads: 'x',
    composed: (d, x, alpha) =>
      where(greaterEqual(x, 0), d, mul(d, affineScalar(exp(clamp(x, -Infinity, 0)), alpha))),
  },
  sin: { reads: 'x', composed: (d, x) => mul(d, cos(x)) },
  cos: { reads: 'x', composed: (d, x) => mul(d, neg(sin(x))) },
  erf: {
    reads: 'x',
    composed: (d, x) => mul(d, affineScalar(exp(neg(square(x))), 2 / Math.sqrt(Math.PI))),
  },
  sign: { reads: 'x' },
  floor: { reads: 'x' },
  clamp: { reads: 'x' },
  asinh: { reads: 'x', composed: (d, x) => div(d, sqrt(affineScalar(square(x), 1, 1))) },
  normalCdf: {
    reads: 'x',
    composed: (d, x) =>
      mul(d, affineScalar(exp(affineScalar(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI))),
  },
  normalQuantile: {
    reads: 'y',
    composed: (d, y) =>
      mul(d, affineScalar(exp(affineScalar(square(y), 0.5)), Math.sqrt(2 * Math.PI))),
  },
} satisfies Record<string, Kind>;

export type UnaryKind = keyof typeof kinds;

const kindRule = word(...Object.keys(kinds));

interface Attributes {
  readonly p: number;
  readonly q: number;
}

function define(name: UnaryKind, kind: Kind, code: number): OpDefinition<Attributes> {
  const encode = ({ p, q }: Attributes) => [code, p, q];
  const gradient: OpDefinition<Attributes> = {
    name: 'unary_grad',
    outputs: ([saved]) => [{ shape: (saved as Tensor).shape, dtype: (saved as Tensor).dtype }],
    encode,
    saves: { inputs: [0], outputs: [] },
    // Recorded only for a locally constant derivative: linear in d.
    vjp: ({ inputs: [saved], d: [dd], attributes }) => [
      null,
      apply(gradient, [saved as Tensor, dd as Tensor], attributes)[0] as Tensor,
    ],
  };
  const saves = kind.reads === 'x' ? { inputs: [0], outputs: [] } : { inputs: [], outputs: [0] };
  return {
    name: 'unary',
    outputs([x]) {
      requireFloat(name, 'x', x as Tensor);
      return [{ shape: (x as Tensor).shape, dtype: (x as Tensor).dtype }];
    },
    encode,
    saves,
    vjp({ inputs: [x], outputs: [y], d: [dy], attributes }) {
      const saved = (kind.reads === 'x' ? x : y) as Tensor;
      const d = dy as Tensor;
      if (kind.composed && isTracked([saved, d])) return [kind.composed(d, saved, attributes.p)];
      return [apply(gradient, [saved, d], attributes)[0] as Tensor];
    },
  };
}

const definitions = new Map(
  Object.entries(kinds).map(([name, kind], code) => [name, define(name as UnaryKind, kind, code)]),
);

/** Any of the functions by its name; `p` and `q` are the parameters of leakyRelu (slope), elu (alpha) and clamp. */
export function unary(kind: UnaryKind, x: Tensor, p = 0, q = 0): Tensor {
  checkArgument('unary', 'kind', kind, kindRule);
  return apply(definitions.get(kind) as OpDefinition<Attributes>, [x], { p, q })[0] as Tensor;
}

export const neg = (x: Tensor): Tensor => unary('neg', x);
/** |x|; the gradient at 0 is 0. */
export const abs = (x: Tensor): Tensor => unary('abs', x);
export const square = (x: Tensor): Tensor => unary('square', x);
/** √x for x ≥ 0, else NaN. */
export const sqrt = (x: Tensor): Tensor => unary('sqrt', x);
export const reciprocal = (x: Tensor): Tensor => unary('reciprocal', x);
export const exp = (x: Tensor): Tensor => unary('exp', x);
/** exp(x) − 1, exact near 0. */
export const expm1 = (x: Tensor): Tensor => unary('expm1', x);
/** log x for x ≥ 0, else NaN. */
export const log = (x: Tensor): Tensor => unary('log', x);
/** log(1 + x) for x ≥ −1, exact near 0. */
export const log1p = (x: Tensor): Tensor => unary('log1p', x);
export const tanh = (x: Tensor): Tensor => unary('tanh', x);
/** 1/(1 + exp(−x)). */
export const sigmoid = (x: Tensor): Tensor => unary('sigmoid', x);
/** log sigmoid(x) = −softplus(−x), exact in both tails. */
export const logSigmoid = (x: Tensor): Tensor => unary('logSigmoid', x);
/** log(1 + exp(x)), exact in both tails. */
export const softplus = (x: Tensor): Tensor => unary('softplus', x);
/** max(0, x); the gradient at 0 is 0. */
export const relu = (x: Tensor): Tensor => unary('relu', x);
/** x for x > 0, else slope·x. */
export const leakyRelu = (x: Tensor, slope = 0.01): Tensor => unary('leakyRelu', x, slope);
/** x for x > 0, else alpha·(exp(x) − 1). */
export const elu = (x: Tensor, alpha = 1): Tensor => unary('elu', x, alpha);
/** sin of radians: absolute error of a few eps for |x| ≤ 10⁴ (float32) or 10⁸ (float64). */
export const sin = (x: Tensor): Tensor => unary('sin', x);
/** cos of radians; see {@link sin}. */
export const cos = (x: Tensor): Tensor => unary('cos', x);
export const erf = (x: Tensor): Tensor => unary('erf', x);
/** −1, 0 or 1; the gradient is 0. */
export const sign = (x: Tensor): Tensor => unary('sign', x);
/** The largest whole number not above x; the gradient is 0. */
export const floor = (x: Tensor): Tensor => unary('floor', x);

/** log(x + √(1 + x²)), exact in both tails and near 0. */
export const asinh = (x: Tensor): Tensor => unary('asinh', x);
/** The standard normal distribution function Φ, with relative accuracy in the lower tail; Φ(x) = 1 − Φ(−x) above. */
export const normalCdf = (x: Tensor): Tensor => unary('normalCdf', x);
/** Φ⁻¹ of probabilities: −∞ at 0, ∞ at 1, NaN outside of [0, 1]. */
export const normalQuantile = (x: Tensor): Tensor => unary('normalQuantile', x);

/** x limited to [low, high]; the gradient is 1 inside and at the limits, 0 outside. */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  checkArgument('clamp', 'low', low, number);
  checkArgument('clamp', 'high', high, number);
  if (!(low <= high)) {
    throw new FlowError(
      'ARGUMENT',
      expected('clamp', 'limits', 'low ≤ high', `${low} and ${high}`, 'swap them'),
    );
  }
  return unary('clamp', x, low, high);
}

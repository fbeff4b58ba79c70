/**
 * Functions of one number, feature by feature. Each has its inverse and its log-slope in logarithmic form, so that the
 * log-determinant is exact where the value has long run into its limit; the other direction is `new Invert(…)`: logit of
 * sigmoid, atanh of tanh, log of exp, the normal quantile of normalCdf.
 */
import { expected, FlowError } from '../errors';
import type { Config } from '../nn/module';
import {
  type AmortizationOptions,
  amortizationConfig,
  amortizationRules,
  ParameterNet,
} from '../nn/parameterNet';
import { register } from '../nn/registry';
import {
  abs,
  add,
  affineScalar,
  asinh,
  columns,
  exp,
  expm1,
  full,
  greaterEqual,
  leakyRelu,
  log,
  log1p,
  logSigmoid,
  mul,
  neg,
  normalCdf,
  normalQuantile,
  sigmoid,
  softplus,
  square,
  sub,
  sum,
  tanh,
  where,
} from '../ops';
import { checkOptions, count, finite, picked, type Rules, required, word } from '../options';
import { requireSize } from '../shape';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';

/** The result, and log|d result/d input| of each element. */
interface Step {
  readonly out: Tensor;
  readonly logSlope: Tensor;
}

interface Map {
  /** What its learned numbers start at, one of each a feature. */
  readonly start: readonly number[];
  /** @param p the learned numbers, each [1, D] or [N, D] */
  forward(x: Tensor, p: readonly Tensor[], slope: number): Step;
  inverse(y: Tensor, p: readonly Tensor[], slope: number): Step;
}

const zeroOf = (x: Tensor) => full([], 0, x.dtype);
/** log cosh u = |u| + softplus(−2|u|) − log 2. */
function logCosh(u: Tensor): Tensor {
  const a = abs(u);
  return affineScalar(add(a, softplus(affineScalar(a, -2))), 1, -Math.LN2);
}
/** (eᵘ − e⁻ᵘ)/2, without cancellation at 0. */
const sinh = (u: Tensor) => affineScalar(sub(expm1(u), expm1(neg(u))), 0.5);
const halfLog2Pi = 0.5 * Math.log(2 * Math.PI);

/** tail·(asinh x + skew) and back again, with the log-slopes of both. */
function sinhAsinh(x: Tensor, u: (s: Tensor) => Tensor, logTail: Tensor): Step {
  const s = asinh(x);
  const inner = u(s);
  return { out: sinh(inner), logSlope: add(logTail, sub(logCosh(inner), logCosh(s))) };
}

/** x ↦ |x|^(exp p) for x > 0. */
const powerOf = (x: Tensor, p: Tensor): Step => {
  const logX = log(x);
  const factor = exp(p);
  return {
    out: exp(mul(logX, factor)),
    logSlope: add(mul(logX, affineScalar(factor, 1, -1)), p),
  };
};

const maps = {
  leakyRelu: {
    start: [],
    forward: (x, _p, slope) => kinked(x, leakyRelu(x, slope), Math.log(slope)),
    inverse: (y, _p, slope) => kinked(y, leakyRelu(y, 1 / slope), -Math.log(slope)),
  },
  parametricRelu: {
    start: [Math.log(0.25)],
    forward: (x, [p]) => parametric(x, p as Tensor),
    inverse: (y, [p]) => parametric(y, neg(p as Tensor)),
  },
  sigmoid: {
    start: [],
    forward: (x) => ({ out: sigmoid(x), logSlope: sub(logSigmoid(x), softplus(x)) }),
    inverse: (y) => {
      const [logY, logRest] = [log(y), log1p(neg(y))];
      return { out: sub(logY, logRest), logSlope: neg(add(logY, logRest)) };
    },
  },
  tanh: {
    start: [],
    forward: (x) => ({ out: tanh(x), logSlope: affineScalar(logCosh(x), -2) }),
    inverse: (y) => {
      const [up, down] = [log1p(y), log1p(neg(y))];
      return { out: affineScalar(sub(up, down), 0.5), logSlope: neg(add(up, down)) };
    },
  },
  softplus: {
    start: [],
    forward: (x) => ({ out: softplus(x), logSlope: logSigmoid(x) }),
    inverse: (y) => {
      // log(eʸ − 1) = y + log(1 − e⁻ʸ)
      const lost = log(neg(expm1(neg(y))));
      return { out: add(y, lost), logSlope: neg(lost) };
    },
  },
  exp: {
    start: [],
    forward: (x) => ({ out: exp(x), logSlope: x }),
    inverse: (y) => {
      const x = log(y);
      return { out: x, logSlope: neg(x) };
    },
  },
  power: {
    start: [0],
    forward: (x, [p]) => powerOf(x, p as Tensor),
    inverse: (y, [p]) => powerOf(y, neg(p as Tensor)),
  },
  sinhArcsinh: {
    start: [0, 0],
    forward: (x, p) => {
      const [skew, logTail] = p as [Tensor, Tensor];
      return sinhAsinh(x, (s) => mul(add(s, skew), exp(logTail)), logTail);
    },
    inverse: (y, p) => {
      const [skew, logTail] = p as [Tensor, Tensor];
      return sinhAsinh(y, (s) => sub(mul(s, exp(neg(logTail))), skew), neg(logTail));
    },
  },
  normalCdf: {
    start: [],
    forward: (x) => ({
      out: normalCdf(x),
      logSlope: affineScalar(square(x), -0.5, -halfLog2Pi),
    }),
    inverse: (y) => {
      const x = normalQuantile(y);
      return { out: x, logSlope: affineScalar(square(x), 0.5, halfLog2Pi) };
    },
  },
} satisfies Record<string, Map>;

function kinked(x: Tensor, out: Tensor, logSlope: number): Step {
  const below = full([], logSlope, x.dtype);
  return { out, logSlope: where(greaterEqual(x, 0), zeroOf(x), below) };
}

function parametric(x: Tensor, p: Tensor): Step {
  const above = greaterEqual(x, 0);
  return {
    out: mul(x, where(above, full([], 1, x.dtype), exp(p))),
    logSlope: where(above, zeroOf(x), p),
  };
}

export type ElementwiseMap = keyof typeof maps;

export interface ElementwiseOptions extends AmortizationOptions {
  /** D. */
  readonly features: number;
  /**
   * - `leakyRelu`: x, below 0 slope·x; `parametricRelu`: the slope of each feature learned, exp(p);
   * - `sigmoid`, `tanh`, `normalCdf`: the real line to (0, 1), (−1, 1), (0, 1);
   * - `softplus`, `exp`: the real line to (0, ∞);
   * - `power`: x^exp(p) of x > 0, p learned;
   * - `sinhArcsinh`: sinh((asinh x + skew)·exp(t)), skewness and weight of the tails learned (Jones and Pewsey 2009).
   */
  readonly map: ElementwiseMap;
  /** Of leakyRelu, above 0; default 0.2. */
  readonly slope?: number;
}

const elementwiseRules: Rules<ElementwiseOptions> = {
  ...amortizationRules,
  features: required(count),
  map: required(word(...Object.keys(maps))),
  slope: finite,
};

/**
 * y_i = f(x_i). Learned numbers are one a feature, or with a context one a feature and a sample. Values outside of the
 * domain of a map or its inverse give NaN, the ends of it ±∞: nothing is clamped.
 */
export class Elementwise extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  readonly map: ElementwiseMap;
  readonly slope: number;
  /** Of each learned number [D], one after another; null for a map without. */
  readonly parameterNet: ParameterNet | null;

  constructor(options: ElementwiseOptions) {
    super();
    checkOptions('Elementwise', options, elementwiseRules);
    const { features, map, slope = 0.2, contextFeatures = 0 } = options;
    requireSize('Elementwise', 'features', features);
    if (!Object.hasOwn(maps, map) || !(slope > 0 && slope < Number.POSITIVE_INFINITY)) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'Elementwise',
          'map',
          `one of ${Object.keys(maps).join(', ')}, with a slope above 0`,
          `${map}, ${slope}`,
          'pass one of these names',
        ),
      );
    }
    const { start }: Map = maps[map];
    if (contextFeatures > 0 && start.length === 0) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'Elementwise',
          'contextFeatures',
          `none for ${map}, which has nothing to learn`,
          String(contextFeatures),
          'leave it out',
        ),
      );
    }
    this.features = features;
    this.map = map;
    this.slope = slope;
    this.contextFeatures = contextFeatures;
    const values = Float64Array.from(
      { length: start.length * features },
      (_, k) => start[Math.floor(k / features)] as number,
    );
    this.parameterNet =
      start.length > 0
        ? this.child('parameters', new ParameterNet(values, picked(options, amortizationRules)))
        : null;
  }

  #run(direction: 'forward' | 'inverse', x: Tensor, context: Tensor | null) {
    const map: Map = maps[this.map];
    const { features: D } = this;
    const all = this.parameterNet?.apply(context) ?? null;
    const numbers = map.start.map((_, k) => columns(all as Tensor, k * D, (k + 1) * D));
    const { out, logSlope } = map[direction](x, numbers, this.slope);
    return { out, logDet: sum(logSlope, -1, { dtype: 'float64' }) };
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    return scope(() => {
      const { out, logDet } = this.#run('forward', x, context);
      return { y: out, logDet };
    });
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    return scope(() => {
      const { out, logDet } = this.#run('inverse', y, context);
      return { x: out, logDet };
    });
  }

  config(): Config {
    const { features, map, slope } = this;
    const options = this.parameterNet?.options;
    return {
      kind: 'elementwise',
      features,
      map,
      slope,
      ...(options && amortizationConfig(options)),
    };
  }
}

register<ElementwiseOptions & Config & { kind: 'elementwise' }>(
  'elementwise',
  (config) => new Elementwise(config),
);

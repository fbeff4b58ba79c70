/** Element-wise functions with their first and second derivatives, each from its formula, float64. */

/** f, f′ and f″ of a real number. */
export interface ScalarFunction {
  readonly f: (x: number) => number;
  readonly df: (x: number) => number;
  readonly ddf: (x: number) => number;
}

/** σ(x) = 1/(1 + e^−x), from the side where the exponential cannot overflow. */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}

/** log(1 + e^x) = max(x, 0) + log1p(e^−|x|). */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** log σ(x) = −softplus(−x). */
export function logSigmoid(x: number): number {
  return -softplus(-x);
}

/**
 * erf(x), relative error a few 1e-16. Below 3: 2x/√π · e^−x² · Σ_n (2x²)^n/(2n+1)!!, whose terms are all
 * positive, so that nothing cancels. Above: 1 − erfc by its continued fraction. (Abramowitz and Stegun 7.1.6, 7.1.14.)
 */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 3) {
    let term = 1;
    let sum = 1;
    for (let n = 1; n < 200; n++) {
      term *= (2 * a * a) / (2 * n + 1);
      sum += term;
      if (term < 1e-18 * sum) break;
    }
    return (Math.sign(x) * 2 * a * Math.exp(-a * a) * sum) / Math.sqrt(Math.PI);
  }
  return Math.sign(x) * (1 - erfcTail(a));
}

/** erfc(x) = 1 − erf(x), without cancellation for large x. */
export function erfc(x: number): number {
  return x < 3 ? 1 - erf(x) : erfcTail(x);
}

/** erfc for x ≥ 3 by the Laplace continued fraction e^−x²/√π · 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …)))). */
function erfcTail(x: number): number {
  let fraction = x;
  for (let k = 120; k >= 1; k--) fraction = x + k / 2 / fraction;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
}

const normalPdf = (x: number) => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

/** x for x > 0, slope·x otherwise (the derivative at 0 is the slope, as in PyTorch). */
export function leakyRelu(slope: number): ScalarFunction {
  return {
    f: (x) => (x > 0 ? x : slope * x),
    df: (x) => (x > 0 ? 1 : slope),
    ddf: () => 0,
  };
}

/** x for x > 0, alpha·(e^x − 1) otherwise (Clevert et al. 2016). */
export function elu(alpha: number): ScalarFunction {
  return {
    f: (x) => (x > 0 ? x : alpha * Math.expm1(x)),
    df: (x) => (x > 0 ? 1 : alpha * Math.exp(x)),
    ddf: (x) => (x > 0 ? 0 : alpha * Math.exp(x)),
  };
}

/** The activations without parameters (and ELU, leaky ReLU with their usual ones), by name. */
export const activations = {
  identity: { f: (x) => x, df: () => 1, ddf: () => 0 },
  relu: leakyRelu(0),
  leakyRelu: leakyRelu(0.01),
  elu: elu(1),
  tanh: {
    f: Math.tanh,
    df: (x) => 1 / Math.cosh(x) ** 2,
    ddf: (x) => (-2 * Math.tanh(x)) / Math.cosh(x) ** 2,
  },
  sigmoid: {
    f: sigmoid,
    df: (x) => sigmoid(x) * sigmoid(-x),
    ddf: (x) => sigmoid(x) * sigmoid(-x) * (sigmoid(-x) - sigmoid(x)),
  },
  softplus: { f: softplus, df: sigmoid, ddf: (x) => sigmoid(x) * sigmoid(-x) },
  logSigmoid: {
    f: logSigmoid,
    df: (x) => sigmoid(-x),
    ddf: (x) => -sigmoid(x) * sigmoid(-x),
  },
  /** x·σ(x), also called swish. */
  silu: {
    f: (x) => x * sigmoid(x),
    df: (x) => sigmoid(x) * (1 + x * sigmoid(-x)),
    ddf: (x) => sigmoid(x) * sigmoid(-x) * (2 + x * (sigmoid(-x) - sigmoid(x))),
  },
  /** x·Φ(x), the exact one with erf (Hendrycks and Gimpel 2016). */
  gelu: {
    f: (x) => x * normalCdf(x),
    df: (x) => normalCdf(x) + x * normalPdf(x),
    ddf: (x) => (2 - x * x) * normalPdf(x),
  },
  softsign: {
    f: (x) => x / (1 + Math.abs(x)),
    df: (x) => 1 / (1 + Math.abs(x)) ** 2,
    ddf: (x) => (-2 * Math.sign(x)) / (1 + Math.abs(x)) ** 3,
  },
  exp: { f: Math.exp, df: Math.exp, ddf: Math.exp },
  log: { f: Math.log, df: (x) => 1 / x, ddf: (x) => -1 / (x * x) },
  log1p: { f: Math.log1p, df: (x) => 1 / (1 + x), ddf: (x) => -1 / ((1 + x) * (1 + x)) },
  expm1: { f: Math.expm1, df: Math.exp, ddf: Math.exp },
  sqrt: {
    f: Math.sqrt,
    df: (x) => 0.5 / Math.sqrt(x),
    ddf: (x) => -0.25 / (x * Math.sqrt(x)),
  },
  square: { f: (x) => x * x, df: (x) => 2 * x, ddf: () => 2 },
  abs: { f: Math.abs, df: Math.sign, ddf: () => 0 },
  negate: { f: (x) => -x, df: () => -1, ddf: () => 0 },
  reciprocal: { f: (x) => 1 / x, df: (x) => -1 / (x * x), ddf: (x) => 2 / (x * x * x) },
  sin: { f: Math.sin, df: Math.cos, ddf: (x) => -Math.sin(x) },
  cos: { f: Math.cos, df: (x) => -Math.sin(x), ddf: (x) => -Math.cos(x) },
} satisfies Record<string, ScalarFunction>;

/** The name of an activation that the reference has. */
export type ActivationName = keyof typeof activations;

/** f over all elements. */
export function map(values: ArrayLike<number>, f: (x: number) => number): Float64Array {
  return Float64Array.from(values, f);
}

/** Φ(x), without cancellation in the lower tail. */
export function normalCdf(x: number): number {
  return x < 0 ? erfc(-x / Math.SQRT2) / 2 : 1 - erfc(x / Math.SQRT2) / 2;
}

/** Φ⁻¹(p) for p in (0, 1), by bisection in the nearer tail. */
export function normalQuantile(p: number): number {
  if (p > 0.5) return -normalQuantile(1 - p);
  let [low, high] = [-40, 0];
  for (let k = 0; k < 100; k++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

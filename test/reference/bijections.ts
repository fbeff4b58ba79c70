/** Element-wise bijections of one number: y and log|dy/dx|, both directions, float64. */
import { logSigmoid, sigmoid, softplus } from './activations';

/** y and log|dy/dx| of one number. */
export interface ScalarMapped {
  readonly y: number;
  readonly logDet: number;
}

/** Both directions of an element-wise bijection. */
export interface ScalarBijection {
  readonly forward: (x: number) => ScalarMapped;
  readonly inverse: (y: number) => ScalarMapped;
}

const mapped = (y: number, logDet: number): ScalarMapped => ({ y, logDet });

/** y = scale·x + shift. */
export function affine(shift: number, scale: number): ScalarBijection {
  const logScale = Math.log(Math.abs(scale));
  return {
    forward: (x) => mapped(scale * x + shift, logScale),
    inverse: (y) => mapped((y - shift) / scale, -logScale),
  };
}

/**
 * y = logit(λ + (1 − 2λ)x) for x in [0, 1] (Papamakarios et al. 2017, appendix D; λ = 1e-6 for MNIST).
 * log|dy/dx| = log(1 − 2λ) − log p − log(1 − p), p = λ + (1 − 2λ)x; 1 − p is taken as λ + (1 − 2λ)(1 − x).
 */
export function logit(lambda: number): ScalarBijection {
  const width = 1 - 2 * lambda;
  return {
    forward: (x) => {
      const p = lambda + width * x;
      const q = lambda + width * (1 - x);
      return mapped(Math.log(p) - Math.log(q), Math.log(width) - Math.log(p) - Math.log(q));
    },
    inverse: (y) =>
      mapped((sigmoid(y) - lambda) / width, logSigmoid(y) + logSigmoid(-y) - Math.log(width)),
  };
}

/** y = σ(x), log|dy/dx| = log σ(x) + log σ(−x); the inverse is logit with λ = 0. */
export const sigmoidBijection: ScalarBijection = {
  forward: (x) => mapped(sigmoid(x), logSigmoid(x) + logSigmoid(-x)),
  inverse: (y) => mapped(Math.log(y) - Math.log1p(-y), -Math.log(y) - Math.log1p(-y)),
};

/** y = log(1 + e^x), dy/dx = σ(x); x = y + log(1 − e^−y), dx/dy = 1/(1 − e^−y). */
export const softplusBijection: ScalarBijection = {
  forward: (x) => mapped(softplus(x), logSigmoid(x)),
  inverse: (y) => {
    // For small y, 1 − e^−y cancels: expm1.
    const log1mexp = Math.log(-Math.expm1(-y));
    return mapped(y + log1mexp, -log1mexp);
  },
};

/** y = tanh(x), log|dy/dx| = 2(log 2 − x − softplus(−2x)). */
export const tanhBijection: ScalarBijection = {
  forward: (x) => mapped(Math.tanh(x), 2 * (Math.LN2 - x - softplus(-2 * x))),
  inverse: (y) => mapped(Math.atanh(y), -Math.log1p(-y) - Math.log1p(y)),
};

/** y = e^x. */
export const expBijection: ScalarBijection = {
  forward: (x) => mapped(Math.exp(x), x),
  inverse: (y) => mapped(Math.log(y), -Math.log(y)),
};

/** A bijection over all elements of x [N, D]: y and logDet [N], the sum over the columns. */
export function elementwise(
  map: (x: number) => ScalarMapped,
  x: ArrayLike<number>,
  n: number,
): { y: Float64Array; logDet: Float64Array } {
  const features = x.length / n;
  const y = new Float64Array(x.length);
  const logDet = new Float64Array(n);
  for (let i = 0; i < x.length; i++) {
    const one = map(x[i]!);
    y[i] = one.y;
    logDet[Math.floor(i / features)]! += one.logDet;
  }
  return { y, logDet };
}

/** y[:, k] = x[:, order[k]]; a permutation has the log-det 0. */
export function permute(x: ArrayLike<number>, n: number, order: readonly number[]): Float64Array {
  const features = order.length;
  const y = new Float64Array(n * features);
  for (let row = 0; row < n; row++) {
    for (let k = 0; k < features; k++) y[row * features + k] = x[row * features + order[k]!]!;
  }
  return y;
}

/** order⁻¹: `inverse[order[k]] = k`. */
export function inversePermutation(order: readonly number[]): number[] {
  const inverse = new Array<number>(order.length).fill(0);
  order.forEach((from, k) => {
    inverse[from] = k;
  });
  return inverse;
}

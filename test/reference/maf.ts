/**
 * The masked autoregressive affine map and the flow of several (Papamakarios et al. 2017,
 * arXiv 1705.07057, section 3.1), float64. Log-dets are log|det ∂out/∂in| a row.
 */
import { type Made, type MadeGradients, madeForward, madeGradients } from './made';

/** How a comes from the network: as it is, bounded to (−1, 1), or as −log of a gate with bias 1.5. */
export type BoundA = 'none' | 'tanh' | 'gate';

/** What a map of rows gives. */
export interface Mapped {
  /** [N, D] */
  readonly y: Float64Array;
  /** [N] */
  readonly logDet: Float64Array;
}

/** mu and a [N, D] each, from the interleaved outputs (mu_0, a_0, mu_1, a_1, …). */
function muAndA(
  made: Made,
  x: ArrayLike<number>,
  n: number,
  context: ArrayLike<number> | null,
  bound: BoundA,
): { mu: Float64Array; a: Float64Array } {
  const out = madeForward(made, x, n, context);
  const mu = new Float64Array(n * made.features);
  const a = new Float64Array(n * made.features);
  for (let i = 0; i < mu.length; i++) {
    mu[i] = out[2 * i]!;
    const raw = out[2 * i + 1]!;
    a[i] = raw;
    if (bound === 'tanh') a[i] = Math.tanh(raw);
    if (bound === 'gate') a[i] = Math.log1p(Math.exp(-(raw + 1.5)));
  }
  return { mu, a };
}

/** u_d = (x_d − mu_d(x_<d))·exp(−a_d(x_<d)), logDet = −Σ_d a_d. One pass. */
export function maskedAffineForward(
  made: Made,
  x: ArrayLike<number>,
  n: number,
  context: ArrayLike<number> | null = null,
  bound: BoundA = 'none',
): Mapped {
  const { mu, a } = muAndA(made, x, n, context, bound);
  const y = new Float64Array(n * made.features);
  const logDet = new Float64Array(n);
  for (let row = 0; row < n; row++) {
    for (let d = 0; d < made.features; d++) {
      const i = row * made.features + d;
      y[i] = (x[i]! - mu[i]!) * Math.exp(-a[i]!) + (bound === 'gate' ? mu[i]! : 0);
      logDet[row]! -= a[i]!;
    }
  }
  return { y, logDet };
}

/**
 * Gradients of Σ dU·u + Σ dLogDet·logDet for {@link maskedAffineForward}; `dx` is the whole one, by the
 * map and by the network.
 *
 * With u = (x − mu)·e^−a: ∂u/∂x = e^−a, ∂u/∂mu = −e^−a, ∂u/∂a = −u, ∂logDet/∂a = −1.
 */
export function maskedAffineGradients(
  made: Made,
  x: ArrayLike<number>,
  n: number,
  dU: ArrayLike<number>,
  dLogDet: ArrayLike<number>,
  context: ArrayLike<number> | null = null,
  bound: BoundA = 'none',
): MadeGradients {
  const { mu, a } = muAndA(made, x, n, context, bound);
  const dOut = new Float64Array(2 * mu.length);
  const direct = new Float64Array(mu.length);
  for (let i = 0; i < mu.length; i++) {
    const shrink = Math.exp(-a[i]!);
    const dA = -dU[i]! * (x[i]! - mu[i]!) * shrink - dLogDet[Math.floor(i / made.features)]!;
    dOut[2 * i] = dU[i]! * ((bound === 'gate' ? 1 : 0) - shrink);
    dOut[2 * i + 1] = dA;
    if (bound === 'tanh') dOut[2 * i + 1]! *= 1 - a[i]! * a[i]!;
    if (bound === 'gate') dOut[2 * i + 1]! *= shrink - 1;
    direct[i] = dU[i]! * shrink;
  }
  const gradients = madeGradients(made, x, n, dOut, context);
  return { ...gradients, dx: gradients.dx.map((value, i) => value + direct[i]!) };
}

/** x_d = u_d·exp(a_d(x_<d)) + mu_d(x_<d), logDet = Σ_d a_d. The naive way: D passes, one dimension known after each. */
export function maskedAffineInverse(
  made: Made,
  u: ArrayLike<number>,
  n: number,
  context: ArrayLike<number> | null = null,
  bound: BoundA = 'none',
): Mapped {
  const features = made.features;
  const x = new Float64Array(n * features);
  const logDet = new Float64Array(n);
  for (let degree = 1; degree <= features; degree++) {
    const d = made.inputDegrees.indexOf(degree);
    const { mu, a } = muAndA(made, x, n, context, bound);
    for (let row = 0; row < n; row++) {
      const i = row * features + d;
      const centre = bound === 'gate' ? mu[i]! : 0;
      x[i] = (u[i]! - centre) * Math.exp(a[i]!) + mu[i]!;
      logDet[row]! += a[i]!;
    }
  }
  return { y: x, logDet };
}

/** One layer of a flow: data → noise and back. */
export interface FlowLayer {
  readonly forward: (x: Float64Array, n: number) => Mapped;
  readonly inverse: (y: Float64Array, n: number) => Mapped;
}

/** A MADE as a layer of a flow, with its context fixed. */
export function maskedAffineLayer(
  made: Made,
  context: ArrayLike<number> | null = null,
  bound: BoundA = 'none',
): FlowLayer {
  return {
    forward: (x, n) => maskedAffineForward(made, x, n, context, bound),
    inverse: (u, n) => maskedAffineInverse(made, u, n, context, bound),
  };
}

/** All layers, data → noise; log-dets add up. */
export function flowForward(layers: readonly FlowLayer[], x: ArrayLike<number>, n: number): Mapped {
  return compose(
    layers.map((layer) => layer.forward),
    x,
    n,
  );
}

/** All layers backwards, noise → data. */
export function flowInverse(layers: readonly FlowLayer[], u: ArrayLike<number>, n: number): Mapped {
  return compose(
    [...layers].reverse().map((layer) => layer.inverse),
    u,
    n,
  );
}

function compose(
  steps: readonly ((x: Float64Array, n: number) => Mapped)[],
  x: ArrayLike<number>,
  n: number,
): Mapped {
  let y = Float64Array.from(x);
  const logDet = new Float64Array(n);
  for (const step of steps) {
    const mapped = step(y, n);
    y = Float64Array.from(mapped.y);
    for (let row = 0; row < n; row++) logDet[row]! += mapped.logDet[row]!;
  }
  return { y, logDet };
}

/** log p(x) [N] under a standard normal base: log N(u; 0, I) + logDet. */
export function flowLogProb(
  layers: readonly FlowLayer[],
  x: ArrayLike<number>,
  n: number,
): Float64Array {
  const { y, logDet } = flowForward(layers, x, n);
  const features = y.length / n;
  return logDet.map((value, row) => {
    let sum = value;
    for (let d = 0; d < features; d++) {
      sum -= 0.5 * y[row * features + d]! ** 2 + 0.5 * Math.log(2 * Math.PI);
    }
    return sum;
  });
}

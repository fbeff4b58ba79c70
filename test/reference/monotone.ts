/** Increasing functions of one number by their definitions, float64; see lib/ops/monotoneFamily.ts. */
import type { MonotoneFamily } from '../../lib/ops';
import { softplus } from './activations';

/** y and log dy/dx of one number. */
interface Point {
  readonly y: number;
  readonly logSlope: number;
}

function logSumExp(terms: readonly number[]): number {
  const most = Math.max(...terms);
  return most + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - most), 0));
}

function logSoftmax(raw: ArrayLike<number>): number[] {
  const lse = logSumExp(Array.from(raw));
  return Array.from(raw, (value) => value - lse);
}

const logSigmoid = (x: number) => -softplus(-x);

/** Huang et al. 2018, eq. 8 and 10–11, by log-sum-exp. */
function dsf(
  x: number,
  p: ArrayLike<number>,
  hidden: number,
  layers: number,
  least: number,
): Point {
  let h = [x];
  let logSlopes = [0];
  let at = 0;
  const take = (count: number) => {
    const part = Array.from({ length: count }, (_, k) => p[at + k]!);
    at += count;
    return part;
  };
  for (let l = 0; l < layers; l++) {
    const outputs = l === layers - 1 ? 1 : hidden;
    const a = take(hidden).map((raw) => softplus(raw) + least);
    const b = take(hidden);
    const w = Array.from({ length: outputs }, () => logSoftmax(take(hidden)));
    const u = a.map(() => (l === 0 ? [0] : logSoftmax(take(hidden))));
    const c = a.map(
      (slope, k) => slope * u[k]!.reduce((z, v, i) => z + Math.exp(v) * h[i]!, 0) + b[k]!,
    );
    const logC = a.map(
      (slope, k) => Math.log(slope) + logSumExp(u[k]!.map((v, i) => v + logSlopes[i]!)),
    );
    const sides = w.map((row) => ({
      s: logSumExp(row.map((v, k) => v + logSigmoid(c[k]!))),
      rest: logSumExp(row.map((v, k) => v + logSigmoid(-c[k]!))),
      t: logSumExp(row.map((v, k) => v + logSigmoid(c[k]!) + logSigmoid(-c[k]!) + logC[k]!)),
    }));
    h = sides.map(({ s, rest }) => s - rest);
    logSlopes = sides.map(({ s, rest, t }) => t - s - rest);
  }
  return { y: h[0]!, logSlope: logSlopes[0]! };
}

/** The tangent beyond ±bound of a function given with its slope. */
function withTails(x: number, bound: number, f: (x: number) => readonly [number, number]): Point {
  const at = Math.max(-bound, Math.min(bound, x));
  const [y, slope] = f(at);
  return { y: y + slope * (x - at), logSlope: Math.log(slope) };
}

/** Jaini et al. 2019: the integral term by term. */
function sumOfSquares(
  x: number,
  p: ArrayLike<number>,
  { squares, degree, bound = 10, leastSlope = 1e-3 }: MonotoneFamily & { kind: 'sumOfSquares' },
): Point {
  return withTails(x, bound, (at) => {
    let y = p[0]! + leastSlope * at;
    let slope = leastSlope;
    for (let k = 0; k < squares; k++) {
      const q = Array.from(
        { length: degree + 1 },
        (_, l) => p[1 + k * (degree + 1) + l]! + (l === 0 ? 1 : 0),
      );
      for (const [i, u] of q.entries())
        for (const [j, v] of q.entries()) {
          const weight = ((1 - leastSlope) / squares) * u * v;
          y += (weight * at ** (i + j + 1)) / (i + j + 1);
          slope += weight * at ** (i + j);
        }
    }
    return [y, slope];
  });
}

function binomial(n: number, k: number): number {
  let value = 1;
  for (let i = 0; i < k; i++) value = (value * (n - i)) / (i + 1);
  return value;
}

/** Σ θ_k·C(M, k)·t^k·(1 − t)^(M − k). */
function bernstein(
  x: number,
  p: ArrayLike<number>,
  { degree, bound = 10, leastSlope = 1e-3 }: MonotoneFamily & { kind: 'bernstein' },
): Point {
  const theta = [p[0]! - bound];
  for (let k = 1; k <= degree; k++) {
    const grows = leastSlope + (1 - leastSlope) * softplus(p[k]! + Math.log(Math.E - 1));
    theta.push(theta[k - 1]! + ((2 * bound) / degree) * grows);
  }
  const basis = (m: number, k: number, t: number) => binomial(m, k) * t ** k * (1 - t) ** (m - k);
  return withTails(x, bound, (at) => {
    const t = (at + bound) / (2 * bound);
    let y = 0;
    let slope = 0;
    for (let k = 0; k <= degree; k++) y += theta[k]! * basis(degree, k, t);
    for (let k = 0; k < degree; k++)
      slope += (degree / (2 * bound)) * (theta[k + 1]! - theta[k]!) * basis(degree - 1, k, t);
    return [y, slope];
  });
}

/** Ho et al. 2019, eq. 9–12: log S and log(1 − S) by log-sum-exp, the slope by the density of the mixture. */
function logisticMixture(
  x: number,
  p: ArrayLike<number>,
  { components, bound = 5 }: MonotoneFamily & { kind: 'logisticMixture' },
): Point {
  const part = (k: number) =>
    Array.from({ length: components }, (_, i) => p[2 + k * components + i]!);
  const bounded = (raw: number) => bound * Math.tanh(raw / bound);
  const [logits, means, scales] = [logSoftmax(part(0)), part(1), part(2).map(bounded)];
  const at = means.map((mean, k) => (x - mean) / Math.exp(scales[k]!));
  const below = logSumExp(logits.map((w, k) => w + logSigmoid(at[k]!)));
  const above = logSumExp(logits.map((w, k) => w + logSigmoid(-at[k]!)));
  const density = logSumExp(
    logits.map((w, k) => w + logSigmoid(at[k]!) + logSigmoid(-at[k]!) - scales[k]!),
  );
  const a = bounded(p[0]!);
  return { y: Math.exp(a) * (below - above) + p[1]!, logSlope: a + density - below - above };
}

export function monotonePoint(family: MonotoneFamily, x: number, p: ArrayLike<number>): Point {
  if (family.kind === 'dsf')
    return dsf(x, p, family.hidden, family.layers ?? 1, family.leastSlope ?? 1e-3);
  if (family.kind === 'logisticMixture') return logisticMixture(x, p, family);
  return family.kind === 'bernstein' ? bernstein(x, p, family) : sumOfSquares(x, p, family);
}

/** x with f(x) = y: a bracket that grows, halved until it is small; then the last digits by secants over it. */
export function monotoneRoot(family: MonotoneFamily, y: number, p: ArrayLike<number>): number {
  const f = (x: number) => monotonePoint(family, x, p).y - y;
  let [low, high] = [-1, 1];
  while (f(low) > 0) low *= 2;
  while (f(high) < 0) high *= 2;
  for (let i = 0; i < 24; i++) {
    const middle = low + (high - low) / 2;
    if (f(middle) < 0) low = middle;
    else high = middle;
  }
  let x = low + (high - low) / 2;
  for (let i = 0; i < 3; i++) {
    const step = Math.max(1e-4, Math.abs(x) * 1e-4);
    x -= (f(x) * 2 * step) / (f(x + step) - f(x - step));
  }
  return x;
}

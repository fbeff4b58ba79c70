/** Monotone splines by plain formulas: see lib/ops/spline.ts for the papers. */
import type { SplineKind, SplineTails } from '../../lib/ops';

export interface SplineCase {
  readonly kind: SplineKind;
  readonly tails: SplineTails;
  readonly bins: number;
  readonly bound: number;
}
const least = 1e-3;

const range = (n: number) => Array.from({ length: n }, (_, k) => k);
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const opened = (raw: number) => least + Math.log1p(Math.exp(raw) * Math.expm1(1 - least));

function softmaxed(raw: readonly number[]): number[] {
  const e = raw.map(Math.exp);
  return e.map((value) => least + ((1 - raw.length * least) * value) / sum(e));
}
function knots(parts: readonly number[], bound: number): number[] {
  return range(parts.length + 1).map((k) =>
    k === parts.length ? bound : -bound + 2 * bound * sum(parts.slice(0, k)),
  );
}

/** Knots and slopes at them of the numbers of one feature. */
function build({ kind, tails, bins, bound }: SplineCase, p: readonly number[]) {
  if (kind === 'linear') {
    const y = knots(softmaxed(p), bound);
    return { x: knots(Array(bins).fill(1 / bins), bound), y, v: [] as number[] };
  }
  const widths = softmaxed(p.slice(0, bins));
  const x = knots(widths, bound);
  const raw = p.slice(kind === 'quadratic' ? bins : 2 * bins);
  const slopes = (end: number) =>
    range(bins + 1).map((k) => {
      if (tails === 'linear') return k % bins === 0 ? end : opened(raw[k - 1]!);
      return opened(raw[tails === 'circular' ? k % bins : k]!);
    });
  if (kind === 'quadratic') {
    const areaOf = (v: readonly number[]) =>
      sum(widths.map((w, k) => (w * (v[k]! + v[k + 1]!)) / 2));
    let end = 1;
    // The ends are the area itself: a fixed point, reached by its own linear equation.
    if (tails === 'linear') {
      const [at0, at1] = [areaOf(slopes(0)), areaOf(slopes(1))];
      end = bins === 1 ? 1 : at0 / (1 - (at1 - at0));
    }
    const u = slopes(end);
    const v = u.map((value) => value / areaOf(u));
    const heights = widths.map((w, k) => (w * (v[k]! + v[k + 1]!)) / 2);
    return { x, y: knots(heights, bound), v };
  }
  const y = knots(softmaxed(p.slice(bins, 2 * bins)), bound);
  if (kind === 'rationalQuadratic') return { x, y, v: slopes(1) };
  const w = (k: number) => x[k + 1]! - x[k]!;
  const m = (k: number) => (y[k + 1]! - y[k]!) / w(k);
  const steffen = (a: number, b: number) =>
    Math.min(2 * m(a), 2 * m(b), (m(a) * w(b) + m(b) * w(a)) / (w(a) + w(b)));
  const v = range(bins + 1).map((k) => {
    if (k > 0 && k < bins) return steffen(k - 1, k);
    if (tails === 'circular') return steffen(bins - 1, 0);
    const steepest = 3 * m(k === 0 ? 0 : bins - 1);
    return tails === 'linear'
      ? Math.min(1, steepest)
      : steepest / (1 + Math.exp(-raw[k === 0 ? 0 : 1]!));
  });
  return { x, y, v };
}

/** f(x) and log f'(x). */
export function splineValue(
  spline: SplineCase,
  p: readonly number[],
  given: number,
  built = build(spline, p),
) {
  const { kind, tails, bins, bound } = spline;
  const outside = Math.abs(given) > bound;
  if (outside && tails === 'linear') return { y: given, logSlope: 0 };
  const turns =
    outside && tails === 'circular' ? 2 * bound * Math.floor((given + bound) / (2 * bound)) : 0;
  const at = outside && tails === 'learned' ? Math.sign(given) * bound : given - turns;
  const { x, y, v } = built;
  let k = 0;
  while (k + 1 < bins && at >= x[k + 1]!) k++;
  const [w, h] = [x[k + 1]! - x[k]!, y[k + 1]! - y[k]!];
  const [t, m, a, b] = [(at - x[k]!) / w, h / w, v[k]!, v[k + 1]!];
  const r = 1 - t;
  let [rise, slope] = [h * t, m];
  if (kind === 'quadratic') {
    [rise, slope] = [w * (a * t + ((b - a) * t * t) / 2), a * r + b * t];
  } else if (kind === 'rationalQuadratic') {
    // Durkan et al. 2019, eqs. 4 and 5.
    const d = m + (a + b - 2 * m) * t * r;
    rise = (h * (m * t * t + a * t * r)) / d;
    slope = (m * m * (b * t * t + 2 * m * t * r + a * r * r)) / (d * d);
  } else if (kind === 'cubic') {
    const [c, e, z] = [(3 * m - 2 * a - b) / w, (a + b - 2 * m) / (w * w), t * w];
    rise = a * z + c * z * z + e * z ** 3;
    slope = a + 2 * c * z + 3 * e * z * z;
  }
  const beyond = outside && tails === 'learned' ? (given - at) * slope : 0;
  return { y: y[k]! + rise + turns + beyond, logSlope: Math.log(slope) };
}

/** x with f(x) = y, by bisection. */
export function splineRoot(spline: SplineCase, p: readonly number[], y: number): number {
  const built = build(spline, p);
  let [low, high] = [-64, 64];
  for (let k = 0; k < 62; k++) {
    const middle = (low + high) / 2;
    if (splineValue(spline, p, middle, built).y < y) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

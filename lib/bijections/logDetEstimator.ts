/**
 * log det(I + J) of residual flows, J of a Lipschitz constant below 1: exactly, by its power series with probes, or without
 * bias by a series of random length. Behrmann et al. 2019, "Invertible Residual Networks", section 3; Chen et al. 2019,
 * "Residual Flows for Invertible Generative Modeling", section 3.
 */
import { isTracked, withoutTape } from '../autograd/tape';
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import type { Linearization } from '../nn/lipschitzNet';
import type { Json } from '../nn/module';
import {
  add,
  affineScalar,
  batchLogAbsDet,
  concatColumns,
  expand,
  greaterEqual,
  mul,
  type RandomStream,
  reshape,
  residualSeries,
  rowsView,
  sub,
  sum,
} from '../ops';
import type { Shape } from '../shape';
import { type Tensor, tensorOfArray } from '../tensor/tensor';

/** Rademacher: ±1 at random, of the least variance. */
export type Probes = 'rademacher' | 'normal';

interface Probed {
  /** Default rademacher. */
  readonly probes?: Probes;
  /** Probes of each sample, averaged; default 1. */
  readonly samples?: number;
}

/** Of the number of terms n = 0, 1, … behind the exact ones. geometric: P(n ≥ m) = (1 − p)^m. */
export type RouletteLength =
  | { readonly kind: 'poisson'; readonly rate: number }
  | { readonly kind: 'geometric'; readonly p: number };

/**
 * - exact: the determinant of the whole Jacobian, D backward passes; for a few features.
 * - series: the first `terms` of the power series, traces by probes. The gradient is that of the estimate by backpropagation
 *   through all terms ('backprop', memory grows with them), or the Neumann series (default), which has the same mean but for
 *   what is cut off, and whose memory does not depend on the number of terms.
 * - roulette: the number of terms is drawn, and each is divided by the chance that it counts: no bias. Neumann gradient.
 */
export type LogDetEstimator =
  | { readonly kind: 'exact' }
  | (Probed & {
      readonly kind: 'series';
      /** Default 10. */
      readonly terms?: number;
      /** Default neumann. */
      readonly gradient?: 'neumann' | 'backprop';
    })
  | (Probed & {
      readonly kind: 'roulette';
      /** Default a Poisson of rate 2. */
      readonly length?: RouletteLength;
      /** Terms that always count; default 2. */
      readonly exactTerms?: number;
      /** One length for the batch (default: the cheapest), or one a sample (less variance, as long as the longest of some rows). */
      readonly draw?: 'batch' | 'sample';
    });

/** What is never drawn: chances below 2^−50 are less than what 53 random bits tell apart. */
const leastChance = 2 ** -50;

/** P(n ≥ m) for m = 1, 2, … */
function chances(length: RouletteLength): number[] {
  const found: number[] = [];
  if (length.kind === 'geometric') {
    for (let chance = 1 - length.p; chance >= leastChance; chance *= 1 - length.p)
      found.push(chance);
    return found;
  }
  // Summed from the far end: 1 − Σ would cancel.
  const { rate } = length;
  const masses = [Math.exp(-rate)];
  while (masses.length <= rate || (masses.at(-1) as number) > 2 ** -80)
    masses.push(((masses.at(-1) as number) * rate) / masses.length);
  let tail = 0;
  for (let m = masses.length - 1; m >= 1; m--) {
    tail += masses[m] as number;
    if (tail >= leastChance) found.unshift(tail);
  }
  return found;
}

/** @throws FlowError ARGUMENT */
export function checkEstimator(where: string, what: string, estimator: LogDetEstimator): void {
  const fail = (name: string, wanted: string, got: unknown) => {
    const which = name === '' ? what : `${what}.${name}`;
    throw new FlowError('ARGUMENT', expected(where, which, wanted, String(got), 'correct it'));
  };
  const count = (name: string, value: number | undefined, least: number) => {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= least && value <= 10000))
      fail(name, `a whole number from ${least} to 10000`, value);
  };
  const oneOf = (name: string, value: string | undefined, words: readonly string[]) => {
    if (value !== undefined && !words.includes(value)) fail(name, words.join(' or '), value);
  };
  oneOf('kind', estimator.kind, ['exact', 'series', 'roulette']);
  if (estimator.kind === 'exact') return;
  count('samples', estimator.samples, 1);
  oneOf('probes', estimator.probes, ['rademacher', 'normal']);
  if (estimator.kind === 'series') {
    count('terms', estimator.terms, 1);
    oneOf('gradient', estimator.gradient, ['neumann', 'backprop']);
    return;
  }
  count('exactTerms', estimator.exactTerms, 0);
  oneOf('draw', estimator.draw, ['batch', 'sample']);
  const { length } = estimator;
  if (length?.kind === 'poisson' && !(length.rate > 0 && length.rate <= 100))
    fail('length.rate', 'a number above 0, at most 100', length.rate);
  if (length?.kind === 'geometric' && !(length.p > 0.01 && length.p < 1))
    fail('length.p', 'a number between 0.01 and 1', length.p);
}

/** The estimator as JSON. */
export function savedEstimator(estimator: LogDetEstimator): Json {
  return JSON.parse(JSON.stringify(estimator)) as Json;
}

/** Computes what an estimator says, with constants that it makes once. */
export class LogDet {
  /** D×D, row by row: for the exact determinant. */
  readonly #identity: Tensor | null = null;
  /** [1, K] float64: P(n ≥ what term k needs), and its reciprocal. */
  readonly #chances: Tensor | null = null;
  readonly #weights: Tensor | null = null;

  /** @param own takes over the constants, to free them with the module */
  constructor(
    readonly estimator: LogDetEstimator,
    readonly features: number,
    readonly positions: number,
    readonly dtype: FloatDType,
    own: (tensor: Tensor) => Tensor,
  ) {
    if (estimator.kind === 'exact') {
      const values = new Float64Array(features * features);
      for (let i = 0; i < features; i++) values[i * (features + 1)] = 1;
      const held = dtype === 'float32' ? Float32Array.from(values) : values;
      this.#identity = own(tensorOfArray(held, [features, features]));
      return;
    }
    const { length = { kind: 'poisson', rate: 2 }, exactTerms = 2 } =
      estimator.kind === 'roulette' ? estimator : {};
    const sure = estimator.kind === 'series' ? (estimator.terms ?? 10) : exactTerms;
    const row = Array.from({ length: sure }, () => 1);
    if (estimator.kind === 'roulette') row.push(...chances(length));
    this.#chances = own(tensorOfArray(Float64Array.from(row), [1, row.length]));
    this.#weights = own(
      tensorOfArray(
        Float64Array.from(row, (chance) => 1 / chance),
        [1, row.length],
      ),
    );
  }

  /** Whether it needs random numbers. */
  get draws(): boolean {
    return this.estimator.kind !== 'exact';
  }

  /**
   * @param of the network at x
   * @param samples N
   * @param stream for probes and lengths; null where nothing is drawn
   * @returns [N] float64: log det(I + J), or an estimate of it; on the open tape
   */
  of(of: Linearization, samples: number, stream: RandomStream | null): Tensor {
    const { estimator } = this;
    if (estimator.kind === 'exact' || !stream) return this.#exact(of, samples);
    const count = estimator.samples ?? 1;
    let total: Tensor | null = null;
    for (let k = 0; k < count; k++) {
      const [probe, q] = withoutTape(() => [
        this.#probe(samples, stream),
        this.#q(samples, stream),
      ]);
      const one =
        estimator.kind === 'series' && estimator.gradient === 'backprop'
          ? this.#backprop(of, samples, probe as Tensor)
          : this.#neumann(of, samples, probe as Tensor, q as Tensor);
      total = total ? add(total, one) : one;
    }
    return count === 1 ? (total as Tensor) : affineScalar(total as Tensor, 1 / count);
  }

  /** log|det| of I + J, row i of J being Jᵀ·e_i. */
  #exact(of: Linearization, samples: number): Tensor {
    const { features, positions } = this;
    const identity = this.#identity as Tensor;
    const all = [samples, features];
    const rows = Array.from({ length: features }, (_, i) => {
      const unit = rowsView(identity, i, i + 1);
      const u = positions === 1 ? unit : expand(unit, all);
      const row = of.vjp(positions === 1 ? u : reshape(u, [samples * positions, -1]));
      return positions === 1 && row.rows !== samples ? expand(row, all) : reshape(row, all);
    });
    const whole = add(concatColumns(rows), reshape(identity, [features * features]));
    return batchLogAbsDet(reshape(whole, [samples * features, features]));
  }

  #probe(samples: number, stream: RandomStream): Tensor {
    const { estimator, features, positions, dtype } = this;
    const shape: Shape = [samples * positions, features / positions];
    if (estimator.kind !== 'exact' && estimator.probes === 'normal')
      return stream.normal(shape, dtype);
    return affineScalar(greaterEqual(stream.uniform(shape, dtype), 0.5), 2, -1);
  }

  /** [k counts]/P(k counts), [1 or N, K]. */
  #q(samples: number, stream: RandomStream): Tensor {
    const { estimator } = this;
    const weights = this.#weights as Tensor;
    if (estimator.kind !== 'roulette') return weights;
    const rows = estimator.draw === 'sample' ? samples : 1;
    // P(u ≤ chance) = chance: one number decides how far the series goes.
    const u = stream.uniform([rows, 1], 'float64');
    return mul(greaterEqual(this.#chances as Tensor, u), weights);
  }

  /** The value is the series'; the gradient that of weightedᵀ·J·v (Chen et al. 2019, equation 8). */
  #neumann(of: Linearization, samples: number, probe: Tensor, q: Tensor): Tensor {
    const { features, positions } = this;
    const { weighted, series } = residualSeries(probe, q, of.layers, positions);
    if (!isTracked([of.out])) return series;
    const product = reshape(mul(weighted, of.jvp(probe)), [samples, features]);
    const surrogate = sum(product, -1, { dtype: 'float64' });
    return add(
      surrogate,
      withoutTape(() => sub(series, surrogate)),
    );
  }

  #backprop(of: Linearization, samples: number, probe: Tensor): Tensor {
    const { features } = this;
    const terms = (this.#weights as Tensor).cols;
    let w = probe;
    let total: Tensor | null = null;
    for (let k = 1; k <= terms; k++) {
      w = of.vjp(w);
      const trace = sum(reshape(mul(w, probe), [samples, features]), -1, { dtype: 'float64' });
      const term = affineScalar(trace, (k % 2 === 1 ? 1 : -1) / k);
      total = total ? add(total, term) : term;
    }
    return total as Tensor;
  }
}

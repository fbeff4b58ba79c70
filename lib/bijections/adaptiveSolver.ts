/**
 * Dormand–Prince 5(4) with steps of the size that the error asks for. Hairer, Nørsett, Wanner 1993, "Solving Ordinary
 * Differential Equations I", section II.4, and their DOPRI5 for the controller.
 */
import { withoutTape } from '../autograd/tape';
import { epsilonOf } from '../dtype';
import { expected, FlowError } from '../errors';
import { abs, add, affineScalar, cast, div, maximum, square, sub, sum } from '../ops';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { combined, dopri5, floatOf, type Rates, type RatesAt, stagesOf } from './rungeKutta';

export interface AdaptiveOptions {
  /** Error of a step relative to the numbers, and absolute: |error| ≤ atol + rtol·|y|. Default 1e-5 each. */
  readonly rtol?: number;
  readonly atol?: number;
  /** Most evaluations of the field in a solve: more is an error. Default 10,000. */
  readonly mostEvaluations?: number;
}

/** @throws FlowError ARGUMENT */
export function checkAdaptive(where: string, what: string, options: AdaptiveOptions): void {
  const { rtol = 1, atol = 1, mostEvaluations = 100 } = options;
  const fail = (name: string, wanted: string, got: unknown) => {
    throw new FlowError(
      'ARGUMENT',
      expected(where, `${what}.${name}`, wanted, String(got), 'correct it'),
    );
  };
  if (!(rtol >= 0)) fail('rtol', 'a number ≥ 0', rtol);
  if (!(atol > 0)) fail('atol', 'a number above 0', atol);
  if (!(Number.isSafeInteger(mostEvaluations) && mostEvaluations >= 8))
    fail('mostEvaluations', 'a whole number ≥ 8', mostEvaluations);
}

export interface AdaptiveSolution {
  /** As the start, and the quadratures. */
  readonly state: readonly Tensor[];
  /** What was accepted. */
  readonly steps: readonly { readonly t: number; readonly h: number }[];
  readonly evaluations: number;
  /** By row: the largest error of its steps in units of the tolerance, at most 1; NaN where the row is not finite. */
  readonly errors: Float64Array;
}

interface Problem {
  /** Named in errors. */
  readonly where: string;
  readonly at: RatesAt;
  readonly span: readonly [number, number];
  /** y, then the quadratures at the start. */
  readonly start: readonly Tensor[];
  /** How many of the quadratures, the first ones, are numbers of the rows whose error counts. */
  readonly controlled: number;
  /** Told y at the start of each accepted step. */
  readonly onStep?: (y: Tensor) => void;
}

/** Growth of the step is limited to this, and to its inverse twice. */
const [least, most, safety] = [0.2, 10, 0.9];
/** Exponents of the controller: of this error, and of the one before. */
const [now, before] = [0.2 - 0.75 * 0.04, 0.04];

/**
 * Solves to the end of the span, without a tape. A step counts if the error of every row is within the tolerance: the root
 * mean square over its numbers, the largest over the rows. Rows that do not start with finite numbers do not count.
 *
 * Not recordable: it reads the errors.
 *
 * @throws FlowError NUMERIC where the tolerance asks for steps or evaluations without end; UNSUPPORTED in a recording
 */
export function integrateAdaptive(problem: Problem, options: AdaptiveOptions): AdaptiveSolution {
  const { where, at, span, start, controlled, onStep } = problem;
  const { rtol = 1e-5, atol = 1e-5, mostEvaluations = 10_000 } = options;
  const [from, to] = span;
  const y0 = start[0] as Tensor;
  // An error estimate is a difference of numbers of this precision.
  const finest = 8 * epsilonOf(floatOf(y0));
  if (rtol < finest) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        where,
        'rtol',
        `at least ${finest.toExponential(1)}, what ${y0.dtype} resolves`,
        String(rtol),
        'raise it, or use float64',
      ),
    );
  }
  const { rows } = y0;
  const direction = Math.sign(to - from);
  const largest = new Float64Array(rows);
  const steps: { t: number; h: number }[] = [];
  let evaluations = 0;

  const solve = (): readonly Tensor[] => {
    const counts = finiteRows(y0);
    const numbers = y0.cols + controlled;
    const measured = start.slice(0, 1 + controlled);
    /** Root mean square of the numbers of each row, and the largest of the rows. */
    const norm = (of: readonly Tensor[], scales: readonly Tensor[]) => {
      const squares = of.map((tensor, q) => {
        const ratio = square(div(tensor, scales[q] as Tensor));
        return q === 0 ? sum(ratio, -1, { dtype: 'float64' }) : cast(ratio, 'float64');
      });
      const total = squares.reduce(add).dataSync();
      const norms = Float64Array.from(total, (value) => Math.sqrt(value / numbers));
      let worst = 0;
      for (const [n, value] of norms.entries()) {
        if (!counts[n]) continue;
        if (!(value <= worst)) worst = Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
      }
      return { norms, worst };
    };
    const scaleOf = (sizes: Tensor) => affineScalar(sizes, rtol, atol);
    const ratesAt = (t: number, y: Tensor) => {
      evaluations++;
      return (at([t])[0] as Rates)(y);
    };

    let t = from;
    let state = start;
    let first = scope(() => ratesAt(from, y0));
    const fail = (found: string, remedy: string): never => {
      throw new FlowError(
        'NUMERIC',
        expected(where, 'solver', `to reach t = ${to} from t = ${from}`, found, remedy),
      );
    };
    const remedy =
      'the field is stiff or not finite: regularize its kinetic energy, lower the learning rate, loosen rtol and atol, or take a fixed-step solver';

    // Hairer, Nørsett and Wanner, "Starting step size".
    let h = scope(() => {
      const scales = measured.map((tensor) => scaleOf(abs(tensor)));
      const slopes = first.slice(0, 1 + controlled);
      const [d0, d1] = [norm(measured, scales).worst, norm(slopes, scales).worst];
      if (!Number.isFinite(d1)) return Number.NaN;
      const h0 = d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : (0.01 * d0) / d1;
      const moved = combined(y0, direction * h0, [1], [first[0] as Tensor]) as Tensor;
      const second = ratesAt(from + direction * h0, moved).slice(0, 1 + controlled);
      const change = second.map((tensor, q) => sub(tensor, slopes[q] as Tensor));
      const d2 = norm(change, scales).worst / h0;
      const steepest = Math.max(d1, d2);
      const whole = Math.abs(to - from);
      // Nothing moves: a field at its start.
      if (steepest <= 1e-15) return whole;
      return Math.min(100 * h0, (0.01 / steepest) ** 0.2, whole);
    });
    if (Number.isNaN(h)) fail('rates that are not finite at the start', remedy);

    let earlier = 1e-4;
    let rejected = false;
    while (direction * (to - t) > 0) {
      // The last step ends at the end, and no sliver is left behind.
      const left = Math.abs(to - t);
      const isLast = h >= left * (1 - 1e-12);
      const size = isLast ? left : Math.min(h, left / 2);
      if (size < 16 * Number.EPSILON * Math.max(Math.abs(t), Math.abs(to - from)))
        fail(`steps of ${size.toExponential(1)} at t = ${t} for a tolerance of ${rtol}`, remedy);
      if (evaluations + 6 > mostEvaluations)
        fail(`t = ${t} after ${evaluations} evaluations (mostEvaluations)`, remedy);
      const signed = direction * size;
      const end = isLast ? to : t + signed;
      const attempt = scope(() => {
        const moments = dopri5.c.map((c, i) => (i === 5 ? end : t + c * signed));
        const rates = [...at(moments.slice(1))];
        const known = first;
        const stages = stagesOf(dopri5, [() => known, ...rates], signed, state[0] as Tensor, known);
        const next = state.map((tensor, q) => {
          const parts = stages.map((stage) => stage[q] as Tensor);
          return combined(tensor, signed, dopri5.b, parts) as Tensor;
        });
        // At the same moment as the last stage.
        const last = (rates[4] as Rates)(next[0] as Tensor);
        evaluations += 6;
        const all = [...stages, last];
        const scales = measured.map((_, q) =>
          scaleOf(maximum(abs(state[q] as Tensor), abs(next[q] as Tensor))),
        );
        const errors = measured.map(
          (_, q) =>
            combined(
              null,
              signed,
              dopri5.error as readonly number[],
              all.map((stage) => stage[q] as Tensor),
            ) as Tensor,
        );
        const { norms, worst } = norm(errors, scales);
        return worst <= 1 ? { next, last, norms, worst } : { worst };
      });
      const { worst } = attempt;
      const shrink = Math.max(worst, 1e-10) ** now;
      if (!attempt.next) {
        h = size * Math.max(least, Math.min(1, safety / shrink));
        rejected = true;
        continue;
      }
      steps.push({ t, h: signed });
      onStep?.(state[0] as Tensor);
      for (const [n, value] of attempt.norms.entries())
        largest[n] = counts[n] ? Math.max(largest[n] as number, value) : Number.NaN;
      if (state !== start && !onStep) for (const tensor of state) tensor.dispose();
      for (const tensor of first) tensor.dispose();
      state = attempt.next;
      first = attempt.last;
      t = end;
      const growth = Math.min(rejected ? 1 : most, (safety / shrink) * earlier ** before);
      h = size * Math.max(least, growth);
      earlier = Math.max(worst, 1e-4);
      rejected = false;
    }
    return state;
  };
  const state = withoutTape(() => scope(solve));
  return { state, steps, evaluations, errors: largest };
}

/** Which rows are finite: 1 or 0. */
function finiteRows(y: Tensor): Uint8Array {
  const values = y.dataSync();
  const { rows, cols } = y;
  const finite = new Uint8Array(rows).fill(1);
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(values[i] as number)) finite[Math.floor(i / cols)] = 0;
  return finite;
}

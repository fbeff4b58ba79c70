/**
 * Roots of increasing functions that are made of ops: the method of native/math/solve.h (Newton inside of a bracket, halved
 * where Newton is slow) for all numbers of a batch side by side, an evaluation of the function an iteration.
 */
import { withoutTape } from '../autograd/tape';
import { epsilonOf, type FloatDType } from '../dtype';
import { abs, add, cast, div, exp, full, greaterEqual, max, mul, neg, sub, where } from '../ops';
import { scope } from '../tensor/scope';
import { isRecording, type Tensor } from '../tensor/tensor';
import type { SolveReport } from './solve';

/** A function of each number at some points. */
export interface Evaluated {
  /** [N, D] */
  readonly y: Tensor;
  /** [N, D]: log dy/dx. */
  readonly logSlope: Tensor;
}

/** Where the roots are: low ≤ x ≤ high, and the first guess; [N, D] each. */
export interface Bracket {
  readonly low: Tensor;
  readonly high: Tensor;
  readonly start: Tensor;
}

export interface Roots {
  readonly x: Tensor;
  /** [N, D], at x. */
  readonly logSlope: Tensor;
  readonly solve: SolveReport;
}

/** More than halving alone takes; a recorded program, which cannot look, takes as many as smooth functions need. */
const most = 400;
const recorded = 40;

/** Masks are tensors of 0 and 1. */
const both = (a: Tensor, b: Tensor): Tensor => mul(a, b);
const not = (mask: Tensor): Tensor => add(neg(mask), 1);

/** The root is between `at` and at + far, rounding included: far = gap/least where the slope is `least` at least. */
export function bracketAround(at: number, far: Tensor): Omit<Bracket, 'start'> {
  const eps = 64 * epsilonOf(far.dtype as FloatDType);
  const spare = add(mul(abs(far), eps), eps * (Math.abs(at) + 1));
  const zero = full(far.shape, 0, far.dtype);
  const up = greaterEqual(far, zero);
  return {
    low: add(sub(where(up, zero, far), spare), at),
    high: add(add(where(up, far, zero), spare), at),
  };
}

/**
 * x with f(x) = y, element by element. Not differentiated: see implicit.ts.
 *
 * @param y [N, D]
 * @param f made of ops, of x [N, D]
 */
export function solveIncreasing(f: (x: Tensor) => Evaluated, y: Tensor, bracket: Bracket): Roots {
  return withoutTape(() =>
    scope(() => {
      const eps = epsilonOf(y.dtype as FloatDType);
      const count = isRecording() ? recorded : most;
      let state = scope(() => ({
        x: where(
          greaterEqual(bracket.start, bracket.low),
          where(greaterEqual(bracket.high, bracket.start), bracket.start, bracket.high),
          bracket.low,
        ),
        low: add(bracket.low, 0),
        high: add(bracket.high, 0),
        before: sub(bracket.high, bracket.low),
        open: greaterEqual(bracket.high, bracket.low),
        iterations: full(y.shape, 0, y.dtype),
      }));
      for (let step = 0; ; step++) {
        const { x, low, high, before, open, iterations } = state;
        const next = scope(() => {
          const { y: value, logSlope } = f(x);
          const slope = exp(logSlope);
          const r = sub(value, y);
          const size = add(add(abs(y), mul(abs(x), slope)), 1);
          const residual = div(abs(r), size);
          const zero = full(r.shape, 0, r.dtype);
          const lower = where(greaterEqual(zero, r), x, low);
          const upper = where(greaterEqual(r, zero), x, high);
          const move = div(neg(r), slope);
          const newton = add(x, move);
          const middle = add(lower, mul(sub(upper, lower), 0.5));
          const fast = greaterEqual(abs(before), mul(abs(move), 2));
          const inside = both(greaterEqual(newton, lower), greaterEqual(upper, newton));
          const goal = where(both(inside, fast), newton, middle);
          const still = both(greaterEqual(goal, x), greaterEqual(x, goal));
          // A NaN is not ≥ anything: it ends here.
          const sane = both(
            greaterEqual(residual, full([], eps, y.dtype)),
            both(greaterEqual(goal, lower), greaterEqual(upper, goal)),
          );
          const goesOn = both(open, both(not(still), sane));
          const x1 = where(goesOn, goal, x);
          return {
            residual,
            logSlope: add(logSlope, 0),
            x: x1,
            low: where(open, lower, low),
            high: where(open, upper, high),
            before: where(goesOn, sub(goal, x), before),
            open: goesOn,
            iterations: add(iterations, open),
          };
        });
        const isLast =
          step + 1 >= count ||
          (!isRecording() && (next.open.size === 0 || max(next.open).item() === 0));
        if (isLast) {
          const report = scope(() => ({
            iterations: cast(max(next.iterations, -1), 'int32'),
            residual: cast(max(next.residual, -1), 'float64'),
            converged: cast(
              neg(max(neg(greaterEqual(full([], 64 * eps, y.dtype), next.residual)), -1)),
              'int32',
            ),
          }));
          return { x, logSlope: next.logSlope, solve: report };
        }
        for (const tensor of Object.values(state)) tensor.dispose();
        state = next;
      }
    }),
  );
}

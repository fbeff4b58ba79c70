/**
 * What a numerical inverse says of itself. Where a bijection has no closed form in one direction, it finds the roots by
 * iteration, and says row by row how that went: never a silent cap. Compositions merge the reports of their parts.
 */
import { withoutTape } from '../autograd/tape';
import { cast, maximum, mul } from '../ops';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';

/** One number a row (a sample), of the hardest of its equations. */
export interface SolveReport {
  /** [N] int32: iterations of the equation that took the most. */
  readonly iterations: Tensor;
  /** [N] float64: the largest |f(x) − y| that is left, relative to the scale that the solver documents. */
  readonly residual: Tensor;
  /** [N] int32: 1 where every equation of the row was solved to the tolerance, else 0. */
  readonly converged: Tensor;
}

/** What a map with a numerical solution returns beside its result. */
export interface Solved {
  /** Missing where everything has a closed form. */
  readonly solve?: SolveReport | undefined;
}

/** The report of both: the most iterations, the largest residual, converged where both are. NaN stays. */
export function mergeSolves(
  a: SolveReport | undefined,
  b: SolveReport | undefined,
): SolveReport | undefined {
  if (!a || !b || a === b) return a ?? b;
  return withoutTape(() =>
    scope(() => {
      const of = (merge: (u: Tensor, v: Tensor) => Tensor, u: Tensor, v: Tensor) =>
        cast(merge(cast(u, 'float64'), cast(v, 'float64')), 'int32');
      return {
        iterations: of(maximum, a.iterations, b.iterations),
        residual: maximum(a.residual, b.residual),
        converged: of(mul, a.converged, b.converged),
      };
    }),
  );
}

/** `{ solve }`, or nothing where there is no report: to be spread into a result. */
export function solved(report: SolveReport | undefined): Solved {
  return report ? { solve: report } : {};
}

/** How many rows did not converge. Reads the report: not while a program is recorded. */
export function unsolvedRows(report: SolveReport): number {
  let count = 0;
  for (const flag of report.converged.dataSync()) if (flag === 0) count++;
  return count;
}

/** Reports of numerical inverses, of all rows of a call. */
import { type SolveReport, unsolvedRows } from '../bijections/solve';
import { emitWarning, type Warn } from '../errors';
import { isRecording, type Tensor } from '../tensor/tensor';

/** The report's tensors, as results of a piece of rows. */
export const reportTensors = (report: SolveReport | undefined) =>
  report ? [report.iterations, report.residual, report.converged] : [];

/** The report of such tensors, put together. */
export function reportOf([iterations, residual, converged]: readonly Tensor[]):
  | SolveReport
  | undefined {
  if (!iterations || !residual || !converged) return undefined;
  return { iterations, residual, converged };
}

/** One warning with the number of rows that a solver did not solve. A recorded program cannot be asked. */
export function warnOfUnsolved(
  where: string,
  report: SolveReport | undefined,
  onWarning: Warn = emitWarning,
): void {
  if (!report || isRecording()) return;
  const count = unsolvedRows(report);
  if (count === 0) return;
  const { size } = report.converged;
  onWarning(
    `[${where}] ${count} of ${size} rows did not converge: the numerical inverse left a residual above its tolerance; ` +
      'the report (solve) flags them and has the residual of each',
  );
}

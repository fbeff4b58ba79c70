/** Bijections one after another. Only the latest rows are alive, and what an open tape keeps. */
import { addAll, full } from '../ops';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import type { Bijection, Forward, Inverse } from './bijection';
import { mergeSolves, type Solved, solved } from './solve';

interface Step extends Solved {
  readonly out: Tensor;
  /** null: 0. */
  readonly logDet: Tensor | null;
}

function through(
  bijections: Iterable<Bijection>,
  rows: Tensor,
  context: Tensor | null,
  map: (bijection: Bijection, input: Tensor, context: Tensor | null) => Step,
): { out: Tensor; logDet: Tensor } & Solved {
  return scope(() => {
    let out = rows;
    const logDets: Tensor[] = [];
    let solve: Solved['solve'];
    for (const bijection of bijections) {
      const input = out;
      const merged = solve;
      const step = scope(() => {
        const own = map(bijection, input, bijection.contextFeatures > 0 ? context : null);
        return { out: own.out, logDet: own.logDet, solve: mergeSolves(merged, own.solve) };
      });
      ({ out, solve } = step);
      if (step.logDet) logDets.push(step.logDet);
      if (input !== rows && input !== out) input.dispose();
    }
    const logDet = logDets.length > 0 ? addAll(logDets) : full([rows.rows], 0, 'float64');
    return { out, logDet, ...solved(solve) };
  });
}

/** First to last, data → noise. @param see is shown the input of each before it runs */
export function forwardThrough(
  bijections: readonly Bijection[],
  x: Tensor,
  context: Tensor | null,
  see: (input: Tensor) => void = () => {},
): Forward {
  const { out, ...rest } = through(bijections, x, context, (bijection, input, itsContext) => {
    see(input);
    const { y, ...step } = bijection.forwardPart(input, itsContext);
    return { out: y, ...step };
  });
  return { y: out, ...rest };
}

/** Last to first, noise → data. */
export function inverseThrough(
  bijections: readonly Bijection[],
  y: Tensor,
  context: Tensor | null,
): Inverse {
  const { out, ...rest } = through(
    [...bijections].reverse(),
    y,
    context,
    (bijection, input, itsContext) => {
      const { x, ...step } = bijection.inversePart(input, itsContext);
      return { out: x, ...step };
    },
  );
  return { x: out, ...rest };
}

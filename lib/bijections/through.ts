/** Bijections one after another. Only the latest rows are alive, and what an open tape keeps. */
import { add, full } from '../ops';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import type { Bijection, Forward, Inverse } from './bijection';
import { mergeSolves, type Solved, solved } from './solve';

interface Step extends Solved {
  readonly out: Tensor;
  readonly logDet: Tensor;
}

function through(
  bijections: Iterable<Bijection>,
  rows: Tensor,
  context: Tensor | null,
  map: (bijection: Bijection, input: Tensor, context: Tensor | null) => Step,
): Step {
  return scope(() => {
    let out = rows;
    let logDet: Tensor | null = null;
    let solve: Solved['solve'];
    for (const bijection of bijections) {
      const [input, before]: [Tensor, Tensor | null] = [out, logDet];
      const merged = solve;
      ({ out, logDet, solve } = scope(() => {
        const step = map(bijection, input, bijection.contextFeatures > 0 ? context : null);
        return {
          out: step.out,
          logDet: before ? add(before, step.logDet) : step.logDet,
          solve: mergeSolves(merged, step.solve),
        };
      }));
      before?.dispose();
      if (input !== rows && input !== out) input.dispose();
    }
    return { out, logDet: logDet ?? full([rows.rows], 0, 'float64'), ...solved(solve) };
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
    const { y, ...step } = bijection.forward(input, itsContext);
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
      const { x, ...step } = bijection.inverse(input, itsContext);
      return { out: x, ...step };
    },
  );
  return { x: out, ...rest };
}

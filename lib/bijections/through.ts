/** Bijections one after another. Only the latest rows are alive, and what an open tape keeps. */
import { add, full } from '../ops';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import type { Bijection, Forward, Inverse } from './bijection';

interface Step {
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
    for (const bijection of bijections) {
      const [input, before]: [Tensor, Tensor | null] = [out, logDet];
      ({ out, logDet } = scope(() => {
        const step = map(bijection, input, bijection.contextFeatures > 0 ? context : null);
        return { out: step.out, logDet: before ? add(before, step.logDet) : step.logDet };
      }));
      before?.dispose();
      if (input !== rows && input !== out) input.dispose();
    }
    return { out, logDet: logDet ?? full([rows.rows], 0, 'float64') };
  });
}

/** First to last, data → noise. @param see is shown the input of each before it runs */
export function forwardThrough(
  bijections: readonly Bijection[],
  x: Tensor,
  context: Tensor | null,
  see: (input: Tensor) => void = () => {},
): Forward {
  const { out, logDet } = through(bijections, x, context, (bijection, input, itsContext) => {
    see(input);
    const step = bijection.forward(input, itsContext);
    return { out: step.y, logDet: step.logDet };
  });
  return { y: out, logDet };
}

/** Last to first, noise → data. */
export function inverseThrough(
  bijections: readonly Bijection[],
  y: Tensor,
  context: Tensor | null,
): Inverse {
  const { out, logDet } = through(
    [...bijections].reverse(),
    y,
    context,
    (bijection, input, itsContext) => {
      const step = bijection.inverse(input, itsContext);
      return { out: step.x, logDet: step.logDet };
    },
  );
  return { x: out, logDet };
}

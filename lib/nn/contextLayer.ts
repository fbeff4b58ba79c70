/** What a network adds to its first hidden layer for a context: a linear map of it, the same at every position of a sample. */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { gatherColumns, type RandomStream, reshape } from '../ops';
import { requireTensor } from '../ops/check';
import { formatShape } from '../shape';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Linear } from './linear';

export class ContextLayer extends Linear {
  /** Which unit each element of a sample's [positions, units] takes; null for one position. */
  readonly #spread: Tensor | null;

  constructor(
    contextFeatures: number,
    units: number,
    readonly positions: number,
    dtype: FloatDType,
    stream: RandomStream,
  ) {
    super(contextFeatures, units, { bias: false, dtype }, stream);
    const spread = Int32Array.from({ length: units * positions }, (_, k) => k % units);
    this.#spread = positions > 1 ? this.own(tensorOfArray(spread, [spread.length])) : null;
  }

  /** [samples, contextFeatures] → [samples·positions, units]. */
  spread(context: Tensor): Tensor {
    const term = this.apply(context);
    if (this.#spread === null) return term;
    return reshape(gatherColumns(term, this.#spread), [
      context.rows * this.positions,
      this.outputs,
    ]);
  }
}

/**
 * The term of a layer that may not be there.
 *
 * @param where what the errors name
 * @returns [samples·positions, units], or null without a layer
 * @throws FlowError SHAPE unless there is a context of one row a sample exactly where there is a layer
 */
export function contextTerm(
  where: string,
  layer: ContextLayer | null,
  context: Tensor | null,
  samples: number,
): Tensor | null {
  if (context !== null) requireTensor(where, 'context', context);
  if (layer === null && context === null) return null;
  const fits = context?.rows === samples && context.cols === layer?.inputs;
  if (layer === null || context === null || !fits) {
    throw new FlowError(
      'SHAPE',
      expected(
        where,
        'context',
        layer ? `shape [N, ${layer.inputs}] = [${samples}, ${layer.inputs}]` : 'none',
        context === null ? 'none' : formatShape(context.shape),
        layer ? 'pass one row of context a sample' : 'build the network with contextFeatures',
      ),
    );
  }
  return layer.spread(context);
}

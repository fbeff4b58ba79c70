/**
 * Conditioners: networks that compute the parameters of a transformer from what it does not change.
 *
 * A sample has `positions` rows: one for a table, one a pixel for an image. A conditioner maps rows to rows; one that knows
 * about space (a convolution) also knows how its positions lie.
 */

import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import type { RandomStream } from '../ops';
import { requireTensor } from '../ops/check';
import { formatShape } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { BatchNormLayer } from './batchNormLayer';
import { ContextLayer } from './contextLayer';
import { Module } from './module';

/** Shows a visitor what a conditioner will see, piece by piece, and yields after each; can be called again. */
export type Pass = (visit: (x: Tensor, context: Tensor | null) => void) => Generator<void, void>;

export abstract class Conditioner extends Module {
  /** Columns that it reads. */
  abstract readonly inputs: number;
  /** Columns that it makes. */
  abstract readonly outputs: number;
  /** Rows of a sample; 1 for a table, H·W for an image. */
  readonly positions: number = 1;
  /** Columns of the context; 0: takes none. */
  readonly contextFeatures: number = 0;

  /** [outputs]: the bias of the last layer, by which a coupling may start where it wants; null where there is none. */
  get outputBias(): Tensor | null {
    return null;
  }

  /** Whether layers wait for the first rows, which set them: those with actnorm. */
  get initializes(): boolean {
    return false;
  }

  /** Whether each run in training moves running averages: it is then not run again to rebuild what it gave. */
  get hasBatchNorm(): boolean {
    for (const [, module] of this.modules()) if (module instanceof BatchNormLayer) return true;
    return false;
  }

  /** Data-dependent initialisation: sets such layers from rows as they arrive there, one pass each. Those that were set stay. */
  *initialize(_rows: Pass): Generator<void, void> {}

  /**
   * @param x [N·positions, inputs]; may be a view of some columns of a wider tensor
   * @param context [N, contextFeatures], or null where it takes none
   * @returns [N·positions, outputs]
   */
  abstract apply(x: Tensor, context: Tensor | null): Tensor;

  /** What maps the context to `units` of a hidden layer, its child `context`; null where there is none. */
  protected contextTo(units: number, dtype: FloatDType, stream: RandomStream): ContextLayer | null {
    const { contextFeatures, positions } = this;
    if (contextFeatures === 0) return null;
    const layer = new ContextLayer(contextFeatures, units, positions, dtype, stream);
    return this.child('context', layer);
  }

  /** The samples that x holds. @throws FlowError SHAPE unless it is the rows of whole ones */
  protected samplesOf(x: Tensor): number {
    const { positions, inputs } = this;
    requireTensor(this.constructor.name, 'x', x);
    if (x.shape.length !== 2 || x.cols !== inputs || x.rows % positions !== 0) {
      const rows = positions === 1 ? 'N' : `N·${positions}`;
      throw new FlowError(
        'SHAPE',
        expected(
          this.constructor.name,
          'x',
          `shape [${rows}, ${inputs}]`,
          formatShape(x.shape),
          positions === 1
            ? 'pass one row a sample'
            : 'pass one row a position of each sample, of images one a pixel, channels last',
        ),
      );
    }
    return x.rows / positions;
  }
}

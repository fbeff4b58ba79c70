/** The batches of an epoch: which rows, in which order, and the recorded step for each size of batch. */
import type { DensityModel } from '../flows/density';
import { emptyTensor, type Tensor } from '../tensor/tensor';
import { needsCalibration } from './calibrate';
import type { Loss } from './loss';
import type { RowSet } from './rowSet';
import { type Learner, Step } from './step';

/** A step for batches of one size. */
export interface SizedStep {
  /** int32 [size]: the rows of the batch; overwritten before each run. */
  readonly indices: Tensor;
  readonly loss: () => Tensor;
  readonly step: Step;
}

export class Batches {
  readonly stepsPerEpoch: number;
  readonly #model: DensityModel;
  readonly #rows: RowSet;
  readonly #size: number;
  readonly #loss: Loss;
  readonly #learner: Learner;
  readonly #steps = new Map<number, SizedStep>();

  constructor(
    model: DensityModel,
    rows: RowSet,
    learner: Learner,
    options: { readonly size: number; readonly dropLast: boolean; readonly loss: Loss },
  ) {
    this.#model = model;
    this.#rows = rows;
    this.#learner = learner;
    this.#size = options.size;
    this.#loss = options.loss;
    const rest = rows.rows % options.size;
    // Batch norm has no variance in a batch of one row: such a rest is left out.
    const least = needsCalibration(model) ? 2 : 1;
    const partial = rest >= least && !options.dropLast ? 1 : 0;
    this.stepsPerEpoch = Math.floor(rows.rows / options.size) + partial;
  }

  /** The rows of a batch of an epoch with this order. */
  rowsAt(order: Int32Array, position: number): Int32Array {
    const start = position * this.#size;
    return order.subarray(start, Math.min(start + this.#size, order.length));
  }

  /** The step for batches of so many rows: at most two sizes, the full one and the rest. */
  stepFor(size: number): SizedStep {
    const found = this.#steps.get(size);
    if (found) return found;
    const model = this.#model;
    const indices = emptyTensor([size], 'int32');
    const loss = () => {
      const { stream } = this.#learner;
      const { x, context } = this.#rows.batch(indices, stream);
      return this.#loss({ model, x, context, stream });
    };
    const made = { indices, loss, step: new Step(this.#learner, loss, size) };
    this.#steps.set(size, made);
    return made;
  }

  dispose(): void {
    for (const { step, indices } of this.#steps.values()) {
      step.dispose();
      indices.dispose();
    }
  }
}

/** Losses of a batch. */

import type { DensityModel } from '../flows/density';
import { mean, type RandomStream } from '../ops';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import type { BatchRows } from './rowSet';

export interface Batch extends BatchRows {
  readonly model: DensityModel;
  /** Random numbers of the training, for losses that draw. */
  readonly stream: RandomStream;
}

/**
 * What is made small: a tensor of one element, made out of the batch by ops. It is run once and then replayed, so it
 * must not read tensors (dataSync, item); where it does, training goes on without the replay.
 */
export type Loss = (batch: Batch) => Tensor;

/** −mean log p in nats, in the model's space: maximum likelihood. */
export function negativeLogLikelihood({ model, x, context, stream }: Batch): Tensor {
  return scope(() =>
    mean(model.logProbOfRows(x, context, 'model', stream), undefined, { negated: true }),
  );
}

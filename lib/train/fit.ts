/** The training loop: epochs of steps, an evaluation after each, and when to stop. */
import type { DensityModel } from '../flows/density';
import { onDevice } from '../tensor/device';
import type { Rows } from '../tensor/input';
import type { FitOptions, FitResult } from './options';
import { checkFit } from './options';
import { Training } from './training';

/**
 * Trains a model by maximum likelihood (or another loss of batches).
 *
 * Each epoch goes through the training rows in a new random order. With validation data the weights of the best epoch
 * are kept, training stops when `patience` epochs brought no better one, and the best are put back at the end; layers
 * with batch statistics are scored, and left, with those of the whole training set. Without validation data the model
 * has the last weights (or their moving average) at the end.
 *
 * The same seed, data and machine give the same weights, bit for bit, with `compile` or without, on any number of
 * threads, interrupted and resumed or not.
 *
 * @param train rows in the data's space: tensors, typed or nested arrays, tables. Integers stay integers in memory and
 *   get their dequantisation noise anew in each batch
 * @returns history and reason of the end; an abort by the signal is such a reason, not an error
 * @throws FlowError SHAPE, DATA, ARGUMENT for data and options that do not fit, before any step; NUMERIC with the layer,
 *   the step and a remedy when a loss or gradient is not finite (the model then has the weights from before that step);
 *   FILE, FORMAT for checkpoints
 *
 * @example
 * const { history } = await fit(flow, train, { validation, optimizer: adam({ lr: 1e-4 }), patience: 30 });
 */
export async function fit(
  model: DensityModel,
  train: Rows,
  options: FitOptions = {},
): Promise<FitResult> {
  checkFit(model, options);
  return onDevice(model.device, async () => {
    const training = new Training(model, train, options);
    try {
      if (options.resume !== undefined) await training.resume(options.resume);
      return await training.run();
    } finally {
      training.dispose();
    }
  });
}

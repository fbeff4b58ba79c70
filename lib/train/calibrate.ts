/** Statistics of the whole training set for the layers that keep such (batch norm), as in MAF, section 4.2. */
import type { DensityModel } from '../flows/density';
import { copyInto, type RandomStream, rowsView } from '../ops';
import { scope } from '../tensor/scope';
import { emptyTensor, type Tensor } from '../tensor/tensor';
import type { Pacer } from './pause';
import type { RowSet } from './rowSet';
import { streamFor } from './seeds';

const chunkRows = 4096;

/** What the bijection sees of rows of the data's space. */
export function rowsOfBijection(model: DensityModel, x: Tensor, stream: RandomStream): Tensor {
  if (model.bijectionRows) return model.bijectionRows(x, stream);
  return model.preprocessing ? model.preprocessing.forward(x).y : x;
}

/** What the bijection sees of a context. */
export function conditionsOf(model: DensityModel, context: Tensor | null): Tensor | null {
  return model.conditions ? model.conditions(context) : context;
}

/** Whether `calibrate` has something to set in this model. */
export function needsCalibration(model: DensityModel): boolean {
  return model.bijection?.calibrates ?? false;
}

/**
 * Sends the training set through the model, layer by layer, and lets each layer set its statistics from all rows as
 * they arrive at it. Takes one buffer of the size of the data set in the model's type.
 *
 * @param seed of the dequantisation noise: the same rows at each call
 */
export async function calibrate(
  model: DensityModel,
  train: RowSet,
  seed: number,
  pacer: Pacer,
): Promise<void> {
  const { bijection } = model;
  if (!bijection?.calibrates) return;
  model.train(false);
  const stream = streamFor(seed, 'calibration');
  const rows = emptyTensor([train.rows, model.features], model.dtype);
  const context = bijection.contextFeatures > 0 ? train.context : null;
  const conditions = scope(() => conditionsOf(model, context));
  try {
    for (let start = 0; start < train.rows; start += chunkRows) {
      const end = Math.min(train.rows, start + chunkRows);
      scope(() => {
        const { x } = train.range(start, end, stream);
        copyInto(rowsView(rows, start, end), rowsOfBijection(model, x, stream));
      });
      await pacer.breathe();
    }
    for (const _piece of bijection.calibrate(rows, conditions)) await pacer.breathe();
  } finally {
    if (conditions !== context) conditions?.dispose();
    rows.dispose();
    stream.dispose();
  }
}

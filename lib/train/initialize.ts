/** Data-dependent initialisation before the first step (actnorm), as in Glow, section 3.1. */
import { ActNorm } from '../bijections/actNorm';
import type { DensityModel } from '../flows/density';
import { Conv2d } from '../nn/conv2d';
import { copyInto, rowsView } from '../ops';
import { scope } from '../tensor/scope';
import { emptyTensor, tensorOfArray } from '../tensor/tensor';
import { conditionsOf, rowsOfBijection } from './calibrate';
import type { Pacer } from './pause';
import type { RowSet } from './rowSet';
import { epochOrder, streamFor } from './seeds';

/** Rows that a statistic of each channel needs at least, as in Glow's code; batches that are larger are taken whole. */
const fewestRows = 256;

/**
 * Sends the first training rows through the model and lets each layer that was never initialised set itself from the rows
 * as they arrive at it. Nothing is left to do for a model that was loaded or trained before.
 *
 * @returns what a user should know of, a sentence each
 */
export async function initialize(
  model: DensityModel,
  train: RowSet,
  batchSize: number,
  seed: number,
  pacer: Pacer,
): Promise<string[]> {
  const { bijection } = model;
  if (!bijection?.initializes) return [];
  const fresh = [...bijection.modules()].flatMap(([path, module]) =>
    (module instanceof ActNorm || module instanceof Conv2d) && !module.initialized
      ? [{ path, module }]
      : [],
  );
  const wasTraining = model.training;
  model.train(false);
  const count = Math.min(train.rows, Math.max(batchSize, fewestRows));
  const rows = emptyTensor([count, model.features], model.dtype);
  const stream = streamFor(seed, 'initialization');
  // The rows that the first steps will see.
  const first = epochOrder(seed, 0, train.rows).subarray(0, count);
  const indices = tensorOfArray(Int32Array.from(first), [count]);
  const contextRows =
    bijection.contextFeatures > 0
      ? scope(() => conditionsOf(model, train.contextOf(indices)))
      : null;
  try {
    scope(() => {
      const { x } = train.batch(indices, stream);
      copyInto(rowsView(rows, 0, count), rowsOfBijection(model, x, stream));
    });
    await pacer.breathe();
    for (const _piece of bijection.initialize(rows, contextRows)) await pacer.breathe();
  } finally {
    rows.dispose();
    indices.dispose();
    contextRows?.dispose();
    stream.dispose();
    model.train(wasTraining);
  }
  return fresh.flatMap(({ path, module: { constantChannels, floor } }) =>
    constantChannels.length === 0 ? [] : [sentence(path, constantChannels, floor, count)],
  );
}

function sentence(path: string, channels: readonly number[], floor: number, rows: number): string {
  const named = channels.slice(0, 8).join(', ') + (channels.length > 8 ? ', …' : '');
  const are = channels.length === 1 ? `channel ${named} is` : `channels ${named} are`;
  return (
    `[fit] bijection${path && '.'}${path}: ${are} constant in the ${rows} rows that initialise actnorm ` +
    `(deviation below ${floor}); scaled by 1/${floor} there: leave out what does not vary, or dequantise the data`
  );
}

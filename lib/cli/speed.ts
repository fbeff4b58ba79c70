/** How much training fits into a time. */
import type { GenerativeModel } from '../models';
import { adam, fit, type Loss } from '../train';
import { type Dataset, takeSamples } from './dataset';

/** Steps that are timed, after as many that warm up. */
const STEPS = 12;

/**
 * Epochs that fit into `seconds` on this machine, at least 1: some steps of a throw-away flow are timed.
 *
 * @param build makes the flow
 * @param train prepared rows
 * @param loss null: −log p
 * @param overhead validation and checkpoints, as a part of the time of the steps
 */
export async function epochsWithin(
  seconds: number,
  build: () => GenerativeModel,
  train: Dataset,
  batchSize: number,
  loss: Loss | null = null,
  overhead = 0.1,
): Promise<number> {
  const rows = Math.min(train.rows.rows, 2 * STEPS * batchSize);
  const some = takeSamples(
    train,
    Int32Array.from({ length: rows }, (_, row) => row),
  );
  const flow = build();
  const times: number[] = [];
  try {
    await fit(flow, some.rows, {
      context: some.context,
      batchSize: Math.min(batchSize, rows),
      steps: 2 * STEPS,
      optimizer: adam({ lr: 1e-5 }),
      clipNorm: 10,
      ...(loss && { loss }),
      onStep: () => void times.push(performance.now()),
    });
  } finally {
    flow.dispose();
  }
  const from = Math.floor(times.length / 2);
  const perStep =
    ((times.at(-1) as number) - (times[from] as number)) /
    1000 /
    Math.max(1, times.length - 1 - from);
  const perEpoch = perStep * Math.ceil(train.rows.rows / batchSize);
  return Math.max(1, Math.floor(seconds / ((1 + overhead) * perEpoch)));
}

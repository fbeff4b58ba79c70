/** What the callbacks of a training say of it. */
import { expect, it } from 'vitest';
import { type Job, trackProgress } from '../../lib/cli/training';
import type { EpochRecord } from '../../lib/train';

const epoch = (number: number, nats: number | null): EpochRecord => ({
  epoch: number,
  step: 2 * number,
  trainLoss: 10 - number,
  validationLogProb: nats,
  validationLogProbModel: nats,
  validationStandardError: nats === null ? null : 1,
  bitsPerDim: nats === null ? null : -nats / 2,
  isBest: nats !== null,
  seconds: 1,
  samplesPerSecond: 20,
  learningRate: 0.001,
});

it('an epoch that was not validated has no likelihood in its line, and the bar goes on saying the last', () => {
  const lines: string[] = [];
  const shown: (string | null)[] = [];
  const job = { fit: { epochs: 4, batchSize: 10 }, parts: { train: { rows: { rows: 20 } } } };
  const { onStep, onEpoch } = trackProgress(job as unknown as Job, {
    update: ({ validation }) => shown.push(validation),
    epoch: (line) => lines.push(line),
    line() {},
    stop() {},
  });
  for (const [k, nats] of [null, -7, null].entries()) {
    onEpoch?.(epoch(k + 1, nats));
    const step = { step: 2 * k + 3, epoch: k + 2, stepInEpoch: 1, stepsPerEpoch: 2 };
    onStep?.({ ...step, loss: 1, seconds: 1, learningRate: 0.001 });
  }
  expect(lines.map((line) => /validation (\S+) nats (\S+)/.exec(line)?.slice(1) ?? null)).toEqual([
    null,
    ['-7.00', '3.500'],
    null,
  ]);
  expect(shown).toEqual([null, '-7.00 nats 3.500 bits/dim', '-7.00 nats 3.500 bits/dim']);
});

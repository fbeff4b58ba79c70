import { describe, expect, it } from 'vitest';
import { FlowError } from '../../lib/errors';
import { iaf } from '../../lib/flows/autoregressive';
import { BernoulliMade } from '../../lib/models';
import { add, affineScalar, cast, mean, neg, square, sum } from '../../lib/ops';
import { memory, setThreads } from '../../lib/runtime';
import { tensor } from '../../lib/tensor/create';
import type { Rows } from '../../lib/tensor/input';
import {
  adam,
  adamW,
  cosine,
  evaluate,
  type FitOptions,
  fit,
  type Loss,
  sgd,
} from '../../lib/train';
import {
  curvedEntropy,
  curvedRows,
  digest,
  features,
  integerMaf,
  integerRows,
  smallMaf,
} from './support';

const train = curvedRows(420, 1);
const validation = curvedRows(150, 2);

/** Trains a fresh flow and returns its digest and the result. */
async function trained(
  build: () => ReturnType<typeof smallMaf>,
  rows: Rows = train,
  options: FitOptions = {},
) {
  const flow = build();
  const result = await fit(flow, rows, { epochs: 3, batchSize: 100, ...options });
  const bits = digest(flow);
  flow.dispose();
  return { bits, result };
}

describe('fit', () => {
  it('learns the density of the data', async () => {
    const flow = smallMaf({ transforms: 3, hidden: [32, 32], batchNorm: true });
    const rows = curvedRows(4000, 3);
    const { history, best, stoppedBecause } = await fit(flow, rows, {
      validation: curvedRows(2000, 4),
      epochs: 40,
      optimizer: adam({ lr: 5e-3 }),
      schedule: cosine({ epochs: 40 }),
    });
    expect(stoppedBecause).toBe('epochs');
    expect(history).toHaveLength(40);
    const first = history[0]?.validationLogProb ?? 0;
    const found = best?.validationLogProb ?? -Infinity;
    expect(first).toBeLessThan(-curvedEntropy - 0.2);
    // No density scores better than the true one, but for chance: 4 standard errors of 2,000 rows.
    const chance = 4 * (best?.validationStandardError ?? 0);
    expect(found).toBeLessThan(-curvedEntropy + chance);
    expect(found).toBeGreaterThan(-curvedEntropy - 0.15 - chance);
    flow.dispose();
  });

  it('puts the best weights back, and says how they score', async () => {
    const flow = smallMaf({ batchNorm: true });
    const { best, history, stoppedBecause } = await fit(flow, train, {
      validation,
      optimizer: adam({ lr: 0.05 }),
      patience: 3,
      epochs: 200,
      seed: 5,
    });
    expect(stoppedBecause).toBe('patience');
    expect(history.at(-1)?.epoch).toBe((best?.epoch ?? 0) + 3);
    expect(best?.validationLogProb).toBe(
      Math.max(...history.map((record) => record.validationLogProb ?? -Infinity)),
    );
    const again = await evaluate(flow, validation, { seed: 5 });
    expect(again.logProb).toBe(best?.validationLogProb);
    expect(again.bitsPerDim).toBe(best?.bitsPerDim);
    expect(flow.training).toBe(false);
    flow.dispose();
  });

  it('validates as often as it is told, and after the last epoch', async () => {
    const every = await trained(() => smallMaf({ batchNorm: true }), train, {
      validation,
      epochs: 7,
    });
    const third = await trained(() => smallMaf({ batchNorm: true }), train, {
      validation,
      epochs: 7,
      validateEvery: 3,
    });
    const scores = ({ result }: typeof every) =>
      result.history.map((record) => record.validationLogProb);
    const [all, some] = [scores(every), scores(third)];
    // Scoring is no part of the training: where both score, they score the same.
    expect(some).toEqual(all.map((score, k) => ([3, 6, 7].includes(k + 1) ? score : null)));
    // Patience counts epochs, and ends after a validated one.
    const flow = smallMaf();
    const { history, best, stoppedBecause } = await fit(flow, train, {
      validation,
      validateEvery: 2,
      patience: 3,
      epochs: 200,
      optimizer: adam({ lr: 0.05 }),
    });
    expect(stoppedBecause).toBe('patience');
    expect(history.length - (best?.epoch ?? 0)).toBe(4);
    expect(best?.validationLogProb).toBe(
      Math.max(...history.map((record) => record.validationLogProb ?? -Infinity)),
    );
    flow.dispose();
  });

  const cases: [string, () => ReturnType<typeof smallMaf>, FitOptions, Uint8Array?][] = [
    ['a partial batch', smallMaf, {}],
    ['batch norm', () => smallMaf({ batchNorm: true }), { validation }],
    ['float64', () => smallMaf({ dtype: 'float64' }), { clipNorm: 1 }],
    ['an order of the features', () => smallMaf({ order: [2, 0, 1] }), { validation }],
    ['integers', integerMaf, {}, integerRows(230, 9)],
    [
      'clip, average, schedule',
      smallMaf,
      { clipNorm: 0.5, ema: 0.9, schedule: cosine({ epochs: 3 }) },
    ],
    ['weight decay', smallMaf, { optimizer: adamW({ lr: 1e-2, weightDecay: 0.1 }) }],
    ['momentum', smallMaf, { optimizer: sgd({ lr: 1e-3, momentum: 0.9, nesterov: true }) }],
  ];

  it.each(cases)('%s: the same bits replayed and op by op', async (_name, build, options, rows) => {
    const data = rows ?? train;
    const replayed = await trained(build, data, options);
    const eager = await trained(build, data, { ...options, compile: false });
    expect(replayed.result.compiled).toBe(true);
    expect(eager.result.compiled).toBe(false);
    expect(eager.bits).toBe(replayed.bits);
    expect(eager.result.history.map(({ trainLoss }) => trainLoss)).toEqual(
      replayed.result.history.map(({ trainLoss }) => trainLoss),
    );
    // What the steps were recorded with is gone: the model must do without.
    const model = build();
    await fit(model, data, { epochs: 1, ...options });
    expect((await evaluate(model, data)).logProb).toBeLessThan(0);
    model.dispose();
    const untrained = build();
    expect(replayed.bits).not.toBe(digest(untrained));
    untrained.dispose();
  });

  it('a MADE of binary data, whose masks change from step to step', async () => {
    const rows = integerRows(230, 4, 8).map((value) => (value > 7 ? 1 : 0));
    const bits = [];
    for (const compile of [true, false]) {
      const made = new BernoulliMade({ features: 8, hidden: [24], masks: 3, order: 'random' });
      const result = await fit(made, rows, {
        validation: rows,
        epochs: 20,
        optimizer: adam({ lr: 0.02 }),
        compile,
      });
      expect(result.compiled).toBe(compile);
      // Eight fair coins have 8·ln 2 nats.
      expect(result.best?.validationLogProb).toBeGreaterThan(-8 * Math.LN2 + 0.5);
      expect(result.best?.validationLogProb).toBeLessThan(0);
      bits.push(digest(made));
      made.dispose();
    }
    expect(bits[1]).toBe(bits[0]);
  });

  it('trains a flow through its slow direction too', async () => {
    const flow = iaf({ features, transforms: 2, hidden: [24], seed: 1 });
    const { history, compiled } = await fit(flow, train, {
      epochs: 20,
      optimizer: adam({ lr: 1e-2 }),
    });
    expect(compiled).toBe(true);
    expect(history.at(-1)?.trainLoss).toBeLessThan((history[0]?.trainLoss ?? 0) - 1);
    flow.dispose();
  });

  it('the same bits on one thread and on two', async () => {
    const wide = () => smallMaf({ hidden: [128, 128], batchNorm: true });
    setThreads(1);
    const one = await trained(wide, train, { validation });
    setThreads(2);
    const two = await trained(wide, train, { validation });
    expect(two.bits).toBe(one.bits);
  });

  it('other seeds, other weights', async () => {
    const a = await trained(smallMaf, train, { seed: 1 });
    const b = await trained(smallMaf, train, { seed: 1 });
    const c = await trained(smallMaf, train, { seed: 2 });
    expect(b.bits).toBe(a.bits);
    expect(c.bits).not.toBe(a.bits);
  });

  it('takes rows in every form', async () => {
    const { data, rows } = curvedRows(100, 6);
    const floats = Float32Array.from(data);
    const nested = Array.from({ length: rows }, (_, n) => [
      ...floats.subarray(n * features, (n + 1) * features),
    ]);
    const held = tensor(floats, { shape: [rows, features] });
    const forms = [floats, nested, held, { data: floats, rows, cols: features }, [...floats]];
    const bits = [];
    for (const form of forms) bits.push((await trained(smallMaf, form)).bits);
    expect(new Set(bits).size).toBe(1);
    expect(held.disposed).toBe(false);
    held.dispose();
  });

  it('learns what the context says', async () => {
    const { data, rows } = curvedRows(1000, 7);
    const context = Float64Array.from({ length: rows }, (_, n) => data[n * features] as number);
    const flow = smallMaf({ contextFeatures: 1 });
    const options = { epochs: 30, optimizer: adam({ lr: 1e-2 }) };
    await fit(flow, { data, rows, cols: features }, { ...options, context });
    const { logProb } = await evaluate(flow, { data, rows, cols: features }, { context });
    // x_0 is known: what is left is the entropy of the other two, and what the flow makes of a spike.
    expect(logProb).toBeGreaterThan(-curvedEntropy + 0.5);
    flow.dispose();
  });

  it('trains on every row once an epoch, or drops the rest of a batch when told to', async () => {
    const counts: number[] = [];
    const options = { epochs: 1, onStep: ({ step }: { step: number }) => void counts.push(step) };
    await trained(smallMaf, train, options);
    expect(counts).toEqual([1, 2, 3, 4, 5]);
    counts.length = 0;
    await trained(smallMaf, train, { ...options, dropLast: true });
    expect(counts).toEqual([1, 2, 3, 4]);
  });

  it('the training loss of an epoch is the mean over its rows, the partial batch by its size', async () => {
    const flow = smallMaf({ dtype: 'float64', zeroInitialized: false });
    const optimizer = sgd({ lr: 0 });
    const { history } = await fit(flow, train, { epochs: 1, batchSize: 100, optimizer });
    const { logProb } = await evaluate(flow, train);
    // The same terms, summed in another order.
    expect(history[0]?.trainLoss).toBeCloseTo(-logProb, 12);
    flow.dispose();
  });

  it('nats of dequantised data in both spaces, and bits/dim', async () => {
    const flow = integerMaf();
    const rows = integerRows(200, 11);
    const { history } = await fit(flow, rows, { validation: rows, epochs: 2 });
    const { validationLogProb: data, validationLogProbModel: model, bitsPerDim } = history[1] ?? {};
    expect(bitsPerDim).toBe(-(data as number) / (4 * Math.LN2));
    // Sixteen levels need 4 bits a dimension without a model.
    expect(bitsPerDim).toBeLessThan(4.5);
    expect(bitsPerDim).toBeGreaterThan(1);
    expect(Math.abs((data as number) - (model as number))).toBeGreaterThan(1);
    flow.dispose();
  });

  it('a loss that cannot be recorded is trained op by op, with the same bits', async () => {
    const plain: Loss = ({ model, x, context }) =>
      neg(mean(model.logProbOfRows(x, context, 'model')));
    let read = 0;
    const reading: Loss = (batch) => {
      const loss = plain(batch);
      read += Number.isFinite(loss.item()) ? 1 : 0;
      return loss;
    };
    const build = () => integerMaf({ batchNorm: true });
    const rows = integerRows(230, 9);
    const expectation = await trained(build, rows, { loss: plain });
    const found = await trained(build, rows, { loss: reading });
    expect(read).toBeGreaterThan(0);
    expect(found.result.compiled).toBe(false);
    expect(found.bits).toBe(expectation.bits);
  });

  it('trains with a loss of the user', async () => {
    const flow = smallMaf();
    const l2: Loss = ({ model, x, context }) => {
      const penalty = model.parameters().map((parameter) => sum(square(parameter)));
      const loss = neg(mean(model.logProbOfRows(x, context, 'model')));
      return penalty.reduce(
        (total, one) => add(total, affineScalar(cast(one, 'float64'), 1e-3, 0)),
        loss,
      );
    };
    const result = await fit(flow, train, { epochs: 2, loss: l2 });
    expect(result.compiled).toBe(true);
    expect(result.history[1]?.trainLoss).toBeLessThan(result.history[0]?.trainLoss ?? 0);
    flow.dispose();
  });

  it('gives the event loop its turns', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const { result } = await trained(smallMaf, curvedRows(3000, 8), { epochs: 100, steps: 3000 });
    clearInterval(timer);
    // A turn every 30 ms is asked for; without any there would be no tick at all.
    expect(ticks).toBeGreaterThan(result.seconds * 5);
  });

  it('stops by steps in mid-epoch, and scores what it has', async () => {
    const { result } = await trained(smallMaf, train, { steps: 7, epochs: 100, validation });
    expect(result).toMatchObject({ stoppedBecause: 'steps', steps: 7, epochs: 1 });
    expect(result.history.map(({ epoch, step }) => [epoch, step])).toEqual([
      [1, 5],
      [2, 7],
    ]);
  });

  it('stops by time', async () => {
    const { result } = await trained(smallMaf, train, { epochs: 1e9, timeLimitSeconds: 0.2 });
    expect(result.stoppedBecause).toBe('time');
    expect(result.seconds).toBeGreaterThan(0.1);
  });

  it('stops by a signal, at once where it was given before', async () => {
    const abort = new AbortController();
    let steps = 0;
    const onStep = () => {
      if (++steps === 3) abort.abort();
    };
    const { result } = await trained(smallMaf, train, { signal: abort.signal, onStep });
    expect(result).toMatchObject({ stoppedBecause: 'aborted', steps: 3, epochs: 0 });
    const again = await trained(smallMaf, train, { signal: abort.signal });
    expect(again.result).toMatchObject({ stoppedBecause: 'aborted', steps: 0 });
  });

  it('leaves nothing behind', async () => {
    const flow = integerMaf({ batchNorm: true });
    const before = memory().buffers;
    const rows = integerRows(230, 9);
    await fit(flow, rows, { validation: rows, epochs: 2, ema: 0.99, clipNorm: 1 });
    expect(memory().buffers).toBe(before);
    const failure = fit(flow, rows, {
      epochs: 2,
      onEpoch: () => {
        throw new FlowError('ARGUMENT', 'of the caller');
      },
    });
    await expect(failure).rejects.toThrow('of the caller');
    expect(memory().buffers).toBe(before);
    flow.dispose();
  });
});

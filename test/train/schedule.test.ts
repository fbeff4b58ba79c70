import { describe, expect, it } from 'vitest';
import {
  adam,
  constantRate,
  cosine,
  type EpochRecord,
  fit,
  linearWarmup,
  plateau,
  type Schedule,
  stepDecay,
} from '../../lib/train';
import { curvedRows, smallMaf } from './support';

const at = (schedule: Schedule, step: number, stepsPerEpoch = 10, history: EpochRecord[] = []) =>
  schedule({ step, epoch: Math.floor(step / stepsPerEpoch), stepsPerEpoch, history });

const epoch = (validationLogProb: number | null, trainLoss = 1) =>
  ({ validationLogProb, trainLoss }) as EpochRecord;

describe('schedules', () => {
  it('constant', () => {
    expect([0, 5, 1e6].map((step) => at(constantRate(), step))).toEqual([1, 1, 1]);
  });

  it('warm-up in a straight line, then what follows from its end', () => {
    const schedule = linearWarmup({ steps: 4 }, cosine({ steps: 2 }, { final: 0.5 }));
    expect([0, 1, 2, 3, 4].map((step) => at(schedule, step))).toEqual([0.25, 0.5, 0.75, 1, 1]);
    expect(at(schedule, 5)).toBeCloseTo(0.75, 15);
    expect(at(schedule, 6)).toBeCloseTo(0.5, 15);
    expect(at(schedule, 600)).toBeCloseTo(0.5, 15);
  });

  it('half a cosine wave, by steps or epochs', () => {
    const schedule = cosine({ epochs: 2 });
    expect(at(schedule, 0)).toBe(1);
    expect(at(schedule, 5)).toBeCloseTo((1 + Math.SQRT1_2) / 2, 15);
    expect(at(schedule, 10)).toBeCloseTo(0.5, 15);
    expect(at(schedule, 20)).toBeCloseTo(0, 15);
    expect(at(cosine({ steps: 20 }), 5)).toBe(at(schedule, 5));
  });

  it('steps', () => {
    const schedule = stepDecay({ epochs: 3 }, 0.5);
    expect([0, 29, 30, 59, 60].map((step) => at(schedule, step))).toEqual([1, 1, 0.5, 0.5, 0.25]);
  });

  it('plateau: falls where the validation does not rise, never below the least', () => {
    const schedule = plateau({ patience: 2, factor: 0.5, least: 0.2 });
    const scores = [-3, -2, -2, -2.5, -1, -1, -1, -1, -1, -1, -1];
    const factors = scores.map((_, n) =>
      at(
        schedule,
        0,
        10,
        scores.slice(0, n + 1).map((s) => epoch(s)),
      ),
    );
    expect(factors).toEqual([1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2]);
    // The same history again, and as it grows in place.
    const history: EpochRecord[] = [];
    const growing = scores.map((score) => {
      history.push(epoch(score));
      return at(schedule, 0, 10, history);
    });
    expect(growing).toEqual(factors);
  });

  it('plateau: goes by the training loss without validation', () => {
    const schedule = plateau({ patience: 1 });
    expect(at(schedule, 0, 10, [epoch(null, 3), epoch(null, 2)])).toBe(1);
    expect(at(schedule, 0, 10, [epoch(null, 3), epoch(null, 4)])).toBe(0.5);
  });

  it.each([
    ['no time', () => at(cosine({ steps: 0 }), 0)],
    ['a negative time', () => at(stepDecay({ epochs: -1 }), 0)],
    ['a factor above 1', () => stepDecay({ steps: 1 }, 2)],
    ['a final factor below 0', () => cosine({ steps: 1 }, { final: -1 })],
    ['no patience', () => plateau({ patience: 0 })],
  ])('%s is an error', (_name, run) => {
    expect(run).toThrow(expect.objectContaining({ code: 'ARGUMENT' }));
  });

  it('are what the optimizer steps by', async () => {
    const flow = smallMaf();
    const rates: number[] = [];
    const { history } = await fit(flow, curvedRows(100, 1), {
      epochs: 2,
      batchSize: 25,
      optimizer: adam({ lr: 0.01 }),
      schedule: linearWarmup({ steps: 3 }, stepDecay({ steps: 2 }, 0.1)),
      onStep: ({ learningRate }) => void rates.push(learningRate),
    });
    const factors = [1 / 3, 2 / 3, 1, 1, 1, 0.1, 0.1, 0.1 ** 2];
    expect(rates).toEqual(factors.map((factor) => 0.01 * factor));
    expect(history.map(({ learningRate }) => learningRate)).toEqual([rates[3], rates[7]]);
    flow.dispose();
  });

  it('a rate of 0 changes nothing', async () => {
    const flow = smallMaf({ zeroInitialized: false });
    const before = flow.parameters().map((tensor) => [...tensor.dataSync()]);
    await fit(flow, curvedRows(100, 1), { epochs: 1, schedule: () => 0 });
    expect(flow.parameters().map((tensor) => [...tensor.dataSync()])).toEqual(before);
    flow.dispose();
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { iaf } from '../../lib/flows/autoregressive';
import { Flow } from '../../lib/flows/flow';
import { add, affineScalar, columns, normalLogProb, reshape, square, sub } from '../../lib/ops';
import { memory } from '../../lib/runtime';
import { scope } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { adam, cosine, fitReverseKl, type ReverseKlOptions } from '../../lib/train';
import { digest, smallMaf } from './support';

/** log of 20 times the density x_0 ~ N(1, ½²), x_1 ~ N(x_0², ½²): log Z = log 20. */
const logZ = Math.log(20);
function target(x: Tensor): Tensor {
  return scope(() => {
    const x0 = columns(x, 0, 1);
    const x1 = columns(x, 1, 2);
    const z0 = affineScalar(x0, 2, -2);
    const z1 = affineScalar(sub(x1, square(x0)), 2, 0);
    const logProb = add(normalLogProb(z0), normalLogProb(z1));
    return affineScalar(reshape(logProb, [x.rows]), 1, 2 * Math.log(2) + logZ);
  });
}

const folder = mkdtempSync(join(tmpdir(), 'reverse-kl-'));
afterAll(() => rmSync(folder, { recursive: true }));

const build = () => iaf({ features: 2, transforms: 3, hidden: [24, 24], seed: 2 });
const options: ReverseKlOptions = {
  steps: 1500,
  samples: 128,
  optimizer: adam({ lr: 5e-3 }),
  schedule: cosine({ steps: 1500 }),
  seed: 1,
};

describe('fitReverseKl', () => {
  it('fits a curved density that is known up to a constant', async () => {
    const flow = build();
    const before = memory().buffers;
    const { history, stoppedBecause, steps, compiled } = await fitReverseKl(flow, target, options);
    expect(memory().buffers).toBe(before);
    expect({ stoppedBecause, steps, compiled }).toEqual({
      stoppedBecause: 'steps',
      steps: 1500,
      compiled: true,
    });
    expect(history.map(({ step }) => step)).toEqual(
      Array.from({ length: 15 }, (_, k) => 100 * (k + 1)),
    );
    // The loss is KL − log Z, and KL is not negative; 12,800 draws a record have a standard error of about 0.005.
    const last = history.at(-1)?.loss ?? 0;
    expect(history[0]?.loss).toBeGreaterThan(-logZ + 0.2);
    expect(last).toBeGreaterThan(-logZ - 0.03);
    expect(last).toBeLessThan(-logZ + 0.06);
    const moments = scope(() => {
      const x = flow.sample(20_000, { seed: 3 }).dataSync();
      const column = (d: number) =>
        Array.from({ length: 20_000 }, (_, n) => x[2 * n + d] as number);
      const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
      return [mean(column(0)), mean(column(1)), mean(column(0).map((v) => (v - 1) ** 2))];
    });
    // E x_0 = 1, E x_1 = 1 + ¼, var x_0 = ¼.
    expect(moments[0]).toBeCloseTo(1, 1);
    expect(moments[1]).toBeCloseTo(1.25, 1);
    expect(moments[2]).toBeCloseTo(0.25, 1);
    flow.dispose();
  });

  it('the same bits replayed and op by op; other seeds, other weights', async () => {
    const digests = [];
    for (const change of [{}, { compile: false }, { seed: 2 }]) {
      const flow = build();
      await fitReverseKl(flow, target, { ...options, steps: 20, ema: 0.9, clipNorm: 2, ...change });
      digests.push(digest(flow));
      flow.dispose();
    }
    expect(digests[1]).toBe(digests[0]);
    expect(digests[2]).not.toBe(digests[0]);
  });

  it('tells a model the number of each step', async () => {
    const steps: number[] = [];
    const flow = Object.assign(build(), { beforeStep: (step: number) => steps.push(step) });
    await fitReverseKl(flow, target, { ...options, steps: 4 });
    expect(steps).toEqual([0, 1, 2, 3]);
    flow.dispose();
  });

  it('stops by a signal', async () => {
    const abort = new AbortController();
    const flow = build();
    const result = await fitReverseKl(flow, target, {
      ...options,
      signal: abort.signal,
      onStep: ({ step }) => {
        if (step === 4) abort.abort();
      },
    });
    expect(result).toMatchObject({ stoppedBecause: 'aborted', steps: 4 });
    expect(result.history.map(({ step }) => step)).toEqual([4]);
    flow.dispose();
  });

  it('goes on from a checkpoint as if it had never stopped', async () => {
    const path = join(folder, 'checkpoint.safetensors');
    const all = { ...options, steps: 30, reportEvery: 7, ema: 0.9, clipNorm: 2 };
    const whole = build();
    const unbroken = await fitReverseKl(whole, target, all);

    const flow = build();
    const abort = new AbortController();
    const { stoppedBecause } = await fitReverseKl(flow, target, {
      ...all,
      checkpoint: { path },
      signal: abort.signal,
      onStep: ({ step }) => {
        if (step === 11) abort.abort();
      },
    });
    expect(stoppedBecause).toBe('aborted');
    flow.dispose();

    const other = fitReverseKl(whole, target, { ...all, samples: 64, resume: path });
    await expect(other).rejects.toMatchObject({ code: 'ARGUMENT' });

    const again = build();
    const resumed = await fitReverseKl(again, target, { ...all, resume: path });
    expect(resumed.steps).toBe(30);
    const losses = ({ history }: typeof resumed) => history.map(({ step, loss }) => [step, loss]);
    expect(losses(resumed)).toEqual(losses(unbroken));
    expect(digest(again)).toBe(digest(whole));
    const loaded = await Flow.load(path);
    expect(digest(loaded)).not.toBe(digest(whole));
    for (const model of [whole, again, loaded]) model.dispose();
  });

  it('takes a context, one row a draw', async () => {
    const flow = iaf({ features: 2, transforms: 1, hidden: [8], contextFeatures: 1 });
    const short = fitReverseKl(flow, target, {
      ...options,
      steps: 2,
      context: new Float32Array(3),
    });
    await expect(short).rejects.toMatchObject({ code: 'SHAPE' });
    const context = new Float32Array(128).fill(0.5);
    const result = await fitReverseKl(flow, target, { ...options, steps: 2, context });
    expect(result.steps).toBe(2);
    flow.dispose();
  });

  it('names the layer or loss of a step that is not finite, and keeps the weights', async () => {
    const flow = build();
    const before = digest(flow);
    const broken = (x: Tensor) => affineScalar(target(x), Number.NaN, 0);
    await expect(fitReverseKl(flow, broken, options)).rejects.toMatchObject({
      code: 'NUMERIC',
      message: expect.stringMatching(/^\[fitReverseKl\] loss, value in step 1: /),
    });
    expect(digest(flow)).toBe(before);
    flow.dispose();
  });

  it('trains a flow through its slow direction too', async () => {
    const flow = smallMaf({ features: 2 });
    const before = memory().buffers;
    const { history, compiled } = await fitReverseKl(flow, target, { ...options, steps: 300 });
    expect(compiled).toBe(true);
    expect(history.at(-1)?.loss).toBeLessThan((history[0]?.loss ?? 0) - 0.2);
    expect(history.at(-1)?.loss).toBeGreaterThan(-logZ - 0.03);
    expect(memory().buffers).toBe(before);
    flow.dispose();
  });
});

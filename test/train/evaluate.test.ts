import { describe, expect, it } from 'vitest';
import { BatchNorm } from '../../lib/bijections/batchNorm';
import type { Chain } from '../../lib/bijections/chain';
import { iaf } from '../../lib/flows/autoregressive';
import { memory } from '../../lib/runtime';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { evaluate } from '../../lib/train';
import { calibrate, needsCalibration } from '../../lib/train/calibrate';
import { Pacer } from '../../lib/train/pause';
import { RowSet } from '../../lib/train/rowSet';
import { expectClose } from '../reference/close';
import { curvedRows, digest, features, integerMaf, integerRows, smallMaf } from './support';

describe('evaluate', () => {
  it('is the mean of logProb, with its standard error, over more rows than one piece', async () => {
    const flow = smallMaf({ dtype: 'float64', zeroInitialized: false });
    const table = curvedRows(1300, 1);
    const before = memory().buffers;
    const found = await evaluate(flow, table);
    expect(memory().buffers).toBe(before);
    const each = scope(() => [...flow.logProb(table).dataSync()]);
    const mean = each.reduce((a, b) => a + b, 0) / each.length;
    const variance = each.reduce((a, b) => a + (b - mean) ** 2, 0) / (each.length - 1);
    expect(found.rows).toBe(1300);
    // Sums of 1,300 terms, added in another order.
    expectClose([found.logProb], [mean], 100, 'mean');
    expectClose([found.standardError], [Math.sqrt(variance / each.length)], 1e4, 'error');
    expect(found.logProbModel).toBe(found.logProb);
    expect(found.bitsPerDim).toBe(-found.logProb / (features * Math.LN2));
    flow.dispose();
  });

  it('of integers: noise by the seed, both spaces apart by the log-det of the preprocessing', async () => {
    const flow = integerMaf({ zeroInitialized: false });
    const rows = integerRows(300, 5);
    const one = await evaluate(flow, rows, { seed: 1 });
    expect(await evaluate(flow, rows, { seed: 1 })).toEqual(one);
    const two = await evaluate(flow, rows, { seed: 2 });
    expect(two.logProb).not.toBe(one.logProb);
    expect(Math.abs(two.logProb - one.logProb)).toBeLessThan(0.5);
    // Scaling by 1/16 alone is −4·log 16 = −11.1 nats; the logit gives some back.
    expect(one.logProb - one.logProbModel).toBeLessThan(0);
    flow.dispose();
  });

  it('takes a context, and leaves the mode as it was', async () => {
    const flow = smallMaf({ contextFeatures: 1, zeroInitialized: false }).train();
    const table = curvedRows(600, 2);
    const context = new Float64Array(600).fill(0.5, 0, 300);
    const found = await evaluate(flow, table, { context });
    expect(flow.training).toBe(true);
    const each = scope(() => [...flow.logProb(table, context).dataSync()]);
    expectClose([found.logProb], [each.reduce((a, b) => a + b, 0) / 600], 1e9, 'mean');
    flow.dispose();
  });

  it('one row has no standard error', async () => {
    const flow = smallMaf();
    expect((await evaluate(flow, [[1, 2, 3]])).standardError).toBeNaN();
    flow.dispose();
  });
});

describe('calibrate', () => {
  it('gives every batch norm mean 0 and deviation 1 of what arrives, over all rows', async () => {
    const flow = smallMaf({
      batchNorm: true,
      dtype: 'float64',
      zeroInitialized: false,
      transforms: 3,
    });
    expect(needsCalibration(flow)).toBe(true);
    const table = curvedRows(1111, 3);
    const before = memory().buffers;
    const set = new RowSet('test', 'train', flow, table);
    await calibrate(flow, set, 0, new Pacer());
    set.dispose();
    expect(memory().buffers).toBe(before);
    scope(() => {
      let x = tensorOfArray(table.data, [table.rows, table.cols]);
      for (const bijection of (flow.bijection as Chain).bijections) {
        x = bijection.forward(x).y;
        if (!(bijection instanceof BatchNorm)) continue;
        const values = x.dataSync();
        for (let d = 0; d < features; d++) {
          const column = Array.from({ length: 1111 }, (_, n) => values[n * features + d] as number);
          const mean = column.reduce((a, b) => a + b, 0) / 1111;
          const variance = column.reduce((a, b) => a + (b - mean) ** 2, 0) / 1111;
          expect(Math.abs(mean)).toBeLessThan(1e-12);
          // 1 but for the epsilon of 1e-5 that is added to the variance of what arrives.
          expect(Math.abs(variance - 1)).toBeLessThan(1e-3);
        }
      }
    });
    flow.dispose();
  });

  it('is by the same noise each time, and takes a context', async () => {
    const flow = integerMaf({ batchNorm: true, contextFeatures: 2, zeroInitialized: false });
    const context = new Float32Array(600).fill(0.7, 0, 300);
    const set = new RowSet('test', 'train', flow, integerRows(300, 2), context);
    const digests = [];
    for (const seed of [1, 1, 2]) {
      await calibrate(flow, set, seed, new Pacer());
      digests.push(digest(flow));
    }
    expect(digests[1]).toBe(digests[0]);
    expect(digests[2]).not.toBe(digests[0]);
    set.dispose();
    flow.dispose();
  });

  it('has nothing to set in a flow without batch norm, or in one turned round', () => {
    for (const flow of [
      smallMaf(),
      iaf({ features, transforms: 1, hidden: [4], batchNorm: true }),
    ]) {
      expect(needsCalibration(flow)).toBe(false);
      flow.dispose();
    }
  });
});

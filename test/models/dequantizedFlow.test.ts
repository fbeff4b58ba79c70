/** Variational dequantisation: a bound whose parts are exact, that training tightens. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  ActNorm,
  Affine,
  adam,
  Chain,
  DequantizedFlow,
  evaluate,
  fit,
  flowpp,
  flowppImage,
  Logit,
  loadModel,
  maf,
  mean,
  memory,
  RandomStream,
  scope,
  tensor,
  variationalDequantization,
} from '../../lib';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { randomize } from '../bijections/cases';
import { integrate2d } from '../reference/quadrature';

const folder = mkdtempSync(join(tmpdir(), 'dequantized-'));
afterAll(() => rmSync(folder, { recursive: true }));

const pixels = (features: number, levels: number, dtype: 'float32' | 'float64' = 'float32') => ({
  dequantization: { levels },
  preprocessing: new Chain([
    Affine.uniform(features, 1 / levels, 0, dtype),
    new Logit(features, 1e-4),
  ]),
});

describe('the bound', () => {
  const levels = 3;
  const dtype = 'float64';
  const make = () => {
    const flow = maf({
      features: 2,
      hidden: [8],
      transforms: 2,
      dtype,
      ...pixels(2, levels, dtype),
    });
    return variationalDequantization(flow, { hidden: 6, transforms: 3 });
  };
  /** P(x) of each pair of integers: the integral of the density over its square. */
  const exact = (model: DequantizedFlow) =>
    Array.from({ length: levels ** 2 }, (_, k) => {
      const [i, j] = [Math.floor(k / levels), k % levels];
      return integrate2d(
        (rows) =>
          scope(() => {
            const moved = rows.map((v, n) => v + (n % 2 === 0 ? i : j));
            const x = tensorOfArray(moved, [rows.length / 2, 2]);
            return model.flow.logProb(x).dataSync().map(Math.exp) as Float64Array;
          }),
        0,
        1,
        6,
        8,
      );
    });

  it('is one whose importance weights have P(x) as their mean, whatever the noise', () => {
    const model = make();
    randomize(model, 7, 0.5);
    const P = exact(model);
    expect(P.reduce((a, b) => a + b)).toBeCloseTo(1, 3);
    const stream = new RandomStream(3);
    const draws = 8000;
    for (const [k, p] of P.entries()) {
      const row = [Math.floor(k / levels), k % levels];
      const x = tensorOfArray(
        Float64Array.from({ length: 2 * draws }, (_, n) => row[n % 2] as number),
        [draws, 2],
      );
      const logs = scope(() => model.logProbOfRows(x, null, 'data', stream).dataSync());
      const weights = Array.from(logs, (v) => Math.exp(Number(v)));
      const average = weights.reduce((a, b) => a + b) / draws;
      const variance = weights.reduce((sum, w) => sum + (w - average) ** 2, 0) / draws;
      // Five standard errors.
      expect(Math.abs(average - p)).toBeLessThan(5 * Math.sqrt(variance / draws));
      // The weights are not all alike, and the bound is below.
      expect(Math.sqrt(variance)).toBeGreaterThan(0.02 * p);
      expect(scope(() => mean(tensor(Array.from(logs, Number))).item())).toBeLessThan(Math.log(p));
      x.dispose();
    }
    // With many draws a row the bound is as good as log P.
    const rows = P.map((_, k) => [Math.floor(k / levels), k % levels]);
    const many = model.logProb(rows, null, { samples: 1000 });
    many.toArray().forEach((v, k) => {
      expect(Math.abs(v - Math.log(P[k] as number))).toBeLessThan(0.15);
    });
    expect(model.logProb(rows).toArray()).toEqual(
      model.logProb(Uint8Array.from(rows.flat())).toArray(),
    );
    for (const part of [many, stream, model]) part.dispose();
  });

  it('starts as uniform noise', async () => {
    const model = make();
    randomize(model.flow, 7, 0.5);
    const rows = Uint8Array.from({ length: 6000 }, (_, k) => (k * k) % levels);
    const [learned, uniform] = [await evaluate(model, rows), await evaluate(model.flow, rows)];
    const error = Math.hypot(learned.standardError, uniform.standardError);
    expect(Math.abs(learned.logProb - uniform.logProb)).toBeLessThan(4 * error);
    expect(learned.bitsPerDim).toBeCloseTo(-learned.logProb / (2 * Math.LN2), 12);
    model.dispose();
  });

  it('refuses what does not fit', () => {
    const numbers = maf({ features: 2, hidden: [4] });
    expect(() => variationalDequantization(numbers)).toThrow(/expected one of integers/);
    const { flow, noise } = make();
    expect(() => new DequantizedFlow({ flow, noise: flow })).toThrow(/2 of context/);
    expect(() =>
      variationalDequantization(flow, { image: { height: 2, width: 2, channels: 1 } }),
    ).toThrow(/image: expected 2 numbers/);
    const model = new DequantizedFlow({ flow, noise });
    expect(() => model.logProbOfRows(tensor([[0, 0]], { dtype }), null, 'data')).toThrow(/stream/);
    expect(() => model.logProb([[0, 0]], null, { samples: 0 })).toThrow(/samples/);
    for (const part of [model, numbers]) part.dispose();
  });
});

describe('training', () => {
  // Four bits: the first two agree, the others are their exclusive or with noise.
  const stream = new RandomStream(5);
  const u = stream.uniformArray(3 * 2500);
  stream.dispose();
  const rows = Uint8Array.from({ length: 4 * 2500 }, (_, k) => {
    const [a, b, c] = [0, 1, 2].map((j) => (u[3 * (k >> 2) + j] as number) < 0.3) as [
      boolean,
      boolean,
      boolean,
    ];
    return Number([a, a, a !== b, b !== c][k & 3]);
  });
  const made = (seed = 1) =>
    flowpp({ features: 4, hidden: [24], transforms: 2, components: 3, seed, ...pixels(4, 2) });
  const options = { optimizer: adam({ lr: 4e-3 }), epochs: 15, batchSize: 100, seed: 1 };

  it('gets nearer to the entropy than with uniform noise, by recorded steps', async () => {
    const before = memory().buffers;
    const uniform = made();
    await fit(uniform, rows, options);
    const model = variationalDequantization(made(), { hidden: 24, transforms: 3 });
    const { compiled } = await fit(model, rows, options);
    expect(compiled).toBe(true);
    const of = async (samples: number) => (await evaluate(model, rows, { samples })).bitsPerDim;
    const [elbo, tight] = [await of(1), await of(16)];
    const plain = (await evaluate(uniform, rows)).bitsPerDim;
    // Three independent bits of probability 0.3 in four.
    const entropy = (-3 * (0.3 * Math.log2(0.3) + 0.7 * Math.log2(0.7))) / 4;
    expect(elbo).toBeLessThan(plain - 0.02);
    expect(tight).toBeLessThan(elbo - 0.005);
    expect(tight).toBeGreaterThan(entropy - 0.02);
    for (const part of [uniform, model]) part.dispose();
    // What earlier tests left may have been collected meanwhile.
    expect(memory().buffers).toBeLessThanOrEqual(before);
  });

  it('resumes bit for bit, sets layers from data, and is saved', async () => {
    const run = async (epochs: number, path: string, resume = false) => {
      const model = variationalDequantization(made(), { hidden: 8, transforms: 2 });
      const checkpoint = { path, everyEpochs: 1 };
      await fit(model, rows, { ...options, epochs, checkpoint, ...(resume && { resume: path }) });
      return model;
    };
    const path = join(folder, 'checkpoint.safetensors');
    (await run(1, path)).dispose();
    const [half, whole] = [await run(2, path, true), await run(2, join(folder, 'other'))];
    const scores = (of: { logProb(x: Uint8Array): { toArray(): number[] } }) =>
      of.logProb(rows.subarray(0, 40)).toArray();
    expect(scores(half)).toEqual(scores(whole));
    const norms = [...whole.modules()].flatMap(([, module]) =>
      module instanceof ActNorm ? [module] : [],
    );
    expect(norms.length).toBe(2);
    expect(norms.every((norm) => norm.initialized)).toBe(true);
    const file = join(folder, 'model.safetensors');
    await whole.save(file);
    const loaded = await DequantizedFlow.load(file);
    expect(scores(loaded)).toEqual(scores(whole));
    const other = await loadModel(file);
    expect(scores(other)).toEqual(scores(whole));
    const drawn = whole.sample(200, { seed: 2 });
    expect(new Set(drawn.dataSync())).toEqual(new Set([0, 1]));
    for (const part of [half, whole, loaded, other, drawn]) part.dispose();
  });

  it('on images the noise sees the pixels where they are', async () => {
    const image = { height: 4, width: 4, channels: 2 };
    const flow = flowppImage({
      image,
      transforms: 1,
      hidden: 4,
      blocks: 1,
      components: 2,
      dequantization: { levels: 4 },
    });
    const model = variationalDequantization(flow, { hidden: 4, transforms: 2 });
    randomize(model.noise, 4, 0.5);
    const bytes = Uint8Array.from({ length: 60 * 32 }, (_, k) => (k * 7 + (k >> 5)) % 4);
    expect((await fit(model, bytes, { ...options, epochs: 2, batchSize: 20 })).compiled).toBe(true);
    // A pixel in a corner moves the noise near to it, and not that of the other corner: two couplings of 3 × 1 × 3 reach 4.
    const noise = (change: number) => {
      const rows = new Float32Array(32).fill(-0.25);
      rows[0] = change;
      const zeros = new Float32Array(32).fill(0.3);
      return scope(() => model.noise.inverse([Array.from(zeros)], [Array.from(rows)]).x.dataSync());
    };
    const [a, b] = [noise(-0.25), noise(0.75)];
    const moved = Array.from(a, (v, k) => Math.abs(Number(v) - Number(b[k])));
    expect(Math.max(...moved.slice(0, 10))).toBeGreaterThan(1e-4);
    model.dispose();
  });
});

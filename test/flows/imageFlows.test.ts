/** The recipes of image flows: what they are made of, that they learn, and what they refuse. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  ActNorm,
  AffineCoupling,
  adam,
  type Chain,
  Flow,
  fit,
  type GlowOptions,
  glow,
  memory,
  oneHot,
  realnvpImage,
  scope,
} from '../../lib';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { randomize } from '../bijections/cases';
import { fixture } from '../reference/close';
import { jacobian } from '../reference/differences';
import { slogdet } from '../reference/linalg';

const folder = mkdtempSync(join(tmpdir(), 'image-flows-'));
afterAll(() => rmSync(folder, { recursive: true }));

const image = { height: 4, width: 4, channels: 1 };
const small = { image, scales: 2, transforms: 2, hidden: 6 } as const;

/** Images of two classes: bright above or bright below, with grain. */
function images(count: number, seed: number): { data: Uint8Array; labels: number[] } {
  const draw = fixture(seed)(count * 16);
  const labels = Array.from({ length: count }, (_, n) => n % 2);
  const data = Uint8Array.from({ length: count * 16 }, (_, i) => {
    const above = i % 16 < 8;
    const bright = above === (labels[Math.floor(i / 16)] === 0);
    return Math.max(0, Math.min(255, Math.round((bright ? 180 : 60) + 20 * (draw[i] as number))));
  });
  return { data, labels };
}

const train = images(400, 1);
const validation = images(100, 2);

describe('glow', () => {
  const built: Flow[] = [];
  const make = (options: Partial<GlowOptions> = {}) => {
    const flow = glow({ ...small, ...options });
    built.push(flow);
    return flow;
  };
  afterAll(() => {
    for (const flow of built) flow.dispose();
  });
  const kinds = (flow: Flow) =>
    [...flow.bijection.modules()]
      .filter(([path]) => /^\d+\.\d+$/.test(path))
      .map(([, module]) => module.config().kind);

  it('is scales of squeeze, transforms and a learned prior', () => {
    const step = ['actNorm', 'luLinear', 'affineCoupling'];
    expect(kinds(make())).toEqual([
      ...['squeeze', ...step, ...step, 'affineCoupling'],
      ...['squeeze', ...step, ...step, 'conditionalAffine'],
    ]);
    expect(kinds(make({ learnedPrior: false, permutation: 'reverse' }))).toEqual(
      Array(2)
        .fill(['squeeze', ...Array(2).fill(['actNorm', 'permutation', 'affineCoupling']).flat()])
        .flat(),
    );
  });

  it.each(['lu', 'dense', 'qr', 'random', 'reverse'] as const)(
    'starts volume-preserving but for actnorm and the fixed scale of its couplings: %s',
    (permutation) => {
      // sigmoid(2) at each transformed feature: half of 16 twice in scale 1, half of 8 twice in scale 2.
      const affine = make({ permutation, preprocessing: null, dtype: 'float64' });
      const additive = make({
        permutation,
        coupling: 'additive',
        preprocessing: null,
        dtype: 'float64',
      });
      scope(() => {
        const x = tensorOfArray(fixture(3)(5 * 16), [5, 16]);
        const expected = (2 * 8 + 2 * 4) * Math.log(1 / (1 + Math.exp(-2)));
        for (const value of affine.forward(x).logDet.toArray())
          expect(value).toBeCloseTo(expected, 9);
        const { y, logDet } = additive.forward(x);
        for (const value of logDet.toArray()) expect(value).toBeCloseTo(0, 9);
        // Rotations and permutations: lengths stay.
        const length = (values: number[], n: number) =>
          values.slice(16 * n, 16 * n + 16).reduce((sum, v) => sum + v * v, 0);
        for (let n = 0; n < 5; n++)
          expect(length(y.toArray(), n)).toBeCloseTo(length(x.toArray(), n), 8);
      });
    },
  );

  it('takes bytes: noise, and scaling to [−½, ½) whose log-det is in the bits per dimension', () => {
    const flow = make({ coupling: 'additive', permutation: 'reverse', learnedPrior: false });
    scope(() => {
      const byte = tensorOfArray(new Uint8Array(16).fill(128), [1, 16]);
      // At the start standard normal of (k + u)/256 − ½, which is in [0, 1/256): log p = −8 log(2π) − ~0 − 16 log 256.
      const logProb = flow.logProb(byte).item();
      expect(logProb).toBeCloseTo(-8 * Math.log(2 * Math.PI) - 16 * Math.log(256), 2);
      expect(flow.bitsPerDim(logProb)).toBeCloseTo(8 + 0.5 * Math.log2(2 * Math.PI), 3);
      const drawn = flow.sample(20, { seed: 1 }).toArray();
      expect(drawn.every((v) => Number.isInteger(v) && v >= 0 && v <= 255)).toBe(true);
    });
    expect(flow.description.image).toBe('[4,4,1]');
    const logit = make({ lambda: 1e-6, scale: { kind: 'tanh' }, seed: 9 });
    expect(logit.preprocessing?.config()).toMatchObject({
      kind: 'chain',
      bijections: [{ kind: 'affine' }, { kind: 'logit', lambda: 1e-6 }],
    });
    const scales = [...logit.modules()].flatMap(([, module]) =>
      module instanceof AffineCoupling ? [module.scale.kind] : [],
    );
    expect(scales).toEqual(Array(5).fill('tanh'));
    const five = make({ dequantization: { levels: 32 } });
    scope(() => {
      const x = five.inverse(
        five.forward(tensorOfArray(new Float32Array(16).fill(3.5), [1, 16])).y,
      ).x;
      for (const value of x.toArray()) expect(value).toBeCloseTo(3.5, 3);
    });
  });

  it('learns, and is initialised by the first batch; classes make it conditional', async () => {
    const flow = make({ contextFeatures: 2, seed: 4 });
    const context = oneHot(train.labels, 2);
    const before = scope(() => {
      const values = flow.logProb(validation.data, oneHot(validation.labels, 2)).toArray();
      return values.reduce((sum, v) => sum + v, 0) / values.length;
    });
    const { history } = await fit(flow, train.data, {
      context,
      validation: validation.data,
      validationContext: oneHot(validation.labels, 2),
      epochs: 12,
      batchSize: 50,
      optimizer: adam({ lr: 3e-3 }),
      seed: 1,
    });
    const norms = [...flow.modules()].flatMap(([, m]) => (m instanceof ActNorm ? [m] : []));
    expect(norms.length).toBe(4);
    expect(norms.every((norm) => norm.initialized)).toBe(true);
    const after = history.at(-1)?.validationLogProb as number;
    expect(after).toBeGreaterThan(before + 10);
    // The right class explains an image better than the other one.
    scope(() => {
      const right = flow.logProb(validation.data, oneHot(validation.labels, 2)).toArray();
      const swapped = validation.labels.map((label) => 1 - label);
      const wrong = flow.logProb(validation.data, oneHot(swapped, 2)).toArray();
      const better = right.filter((value, n) => value > (wrong[n] as number)).length;
      expect(better).toBeGreaterThan(95);
      const drawn = flow.sample(40, { context: oneHot(Array(40).fill(0), 2), seed: 3 }).toArray();
      const mean = (first: number) =>
        drawn.filter((_, i) => (i % 16 < 8 ? 0 : 1) === first).reduce((s, v) => s + v, 0) / 320;
      expect(mean(0)).toBeGreaterThan(mean(1) + 60);
    });
  });

  it('is saved in mid-training and resumed, bit for bit', async () => {
    const options = { batchSize: 50, seed: 2, optimizer: adam({ lr: 1e-3 }) };
    const path = join(folder, 'glow.safetensors');
    const parameters = (flow: Flow) => [...flow.parameters()].map((tensor) => tensor.toArray());
    const whole = make({ seed: 5 });
    await fit(whole, train.data, { ...options, steps: 12 });
    const begun = make({ seed: 5 });
    await fit(begun, train.data, { ...options, steps: 5, checkpoint: { path } });
    const resumed = make({ seed: 5 });
    await fit(resumed, train.data, { ...options, steps: 12, resume: path });
    expect(parameters(resumed)).toEqual(parameters(whole));
    expect(whole.bijection.initializes).toBe(false);
    const file = join(folder, 'model.safetensors');
    await whole.save(file);
    const loaded = await Flow.load(file);
    built.push(loaded);
    expect(loaded.bijection.initializes).toBe(false);
    scope(() =>
      expect(loaded.logProb(validation.data).toArray()).toEqual(
        whole.logProb(validation.data).toArray(),
      ),
    );
  });

  it('trains with rebuilt activations to the same weights, nearly', async () => {
    const results = [];
    for (const kept of ['taped', 'invertible'] as const) {
      const flow = make({ seed: 6, dtype: 'float64' });
      await fit(flow, train.data, { steps: 8, batchSize: 50, seed: 3, memory: kept });
      results.push([...flow.parameters()].flatMap((tensor) => tensor.toArray()));
    }
    const [taped, rebuilt] = results as [number[], number[]];
    for (const [i, value] of rebuilt.entries()) expect(value).toBeCloseTo(taped[i] as number, 6);
  });

  it('says what it cannot be built for', () => {
    expect(() => glow({ image: { height: 28, width: 28, channels: 1 } })).toThrow(
      /\[glow\] image: expected a height and width that are multiples of 8 for 3 scales, got 28 × 28: pad the images to 32 × 32 \(padImages\), or take fewer scales/,
    );
    expect(() => glow({ image, scales: 0 })).toThrow(
      /\[glow\] scales: expected a whole number ≥ 1, got 0/,
    );
    expect(() => glow({ image: { ...image, channels: 0 } })).toThrow(/channels: 0 }/);
  });
});

describe('realnvpImage', () => {
  const options = { image, scales: 2, hidden: 4, blocks: 1, seed: 1 } as const;

  it('is checkerboards, squeeze, halves of channels, and checkerboards again', () => {
    const flow = realnvpImage({ ...options, batchNorm: false });
    const of = (scale: number) => {
      const chain = flow.bijection.children().get(String(scale)) as Chain;
      return chain.bijections.map((bijection) => {
        const { kind, split } = bijection.config() as unknown as {
          kind: string;
          split?: { kind: string; parity?: number; transformed?: string };
        };
        return split ? `${split.kind} ${split.parity ?? split.transformed}` : kind;
      });
    };
    expect(of(0)).toEqual([
      ...['checkerboard 0', 'checkerboard 1', 'checkerboard 0', 'squeeze'],
      ...['columns second', 'columns first', 'columns second'],
    ]);
    expect(of(1)).toEqual([0, 1, 0, 1].map((parity) => `checkerboard ${parity}`));
    flow.dispose();
  });

  it('keeps one diagonal of each square and lets the other leave, where it is asked to', () => {
    const plain = { ...options, batchNorm: false, preprocessing: null, dequantization: null };
    const flow = realnvpImage({ ...plain, factorOut: 'alternating' });
    // Couplings that start as the identity: y is what left, then what stayed on the last scale, both in raster order of the squares.
    const x = Float32Array.from({ length: 16 }, (_, k) => k);
    const y = scope(() => flow.forward(x).y.toArray());
    const pixels = (of: readonly (readonly [number, number])[]) =>
      [0, 1, 2, 3].flatMap((square) =>
        of.map(([dy, dx]) => 4 * (2 * Math.floor(square / 2) + dy) + 2 * (square % 2) + dx),
      );
    const leaves = pixels([
      [0, 1],
      [1, 0],
    ]);
    const stays = pixels([
      [0, 0],
      [1, 1],
    ]);
    expect(y).toEqual([...leaves, ...stays]);
    flow.dispose();
    expect(() => realnvpImage({ ...plain, factorOut: 'all' as never })).toThrow(
      /factorOut: expected half or alternating, got all/,
    );
  });

  it('has the log-det of its Jacobian, both ways', () => {
    const flow = realnvpImage({
      ...options,
      factorOut: 'alternating',
      preprocessing: null,
      dequantization: null,
      dtype: 'float64',
    });
    randomize(flow, 8, 0.3);
    const x = fixture(9)(16);
    const forward = (row: Float64Array) => scope(() => flow.forward(row).y.dataSync());
    const inverse = (row: Float64Array) => scope(() => flow.inverse(row).x.dataSync());
    const y = forward(x) as Float64Array;
    const logDet = scope(() => flow.forward(x).logDet.item());
    const there = slogdet(jacobian(forward, x, 0.02).values, 16).logAbs;
    const back = slogdet(jacobian(inverse, y, 0.02).values, 16).logAbs;
    expect(Math.abs(there)).toBeGreaterThan(0.1);
    expect(logDet).toBeCloseTo(there, 4);
    expect(scope(() => flow.inverse(y).logDet.item())).toBeCloseTo(back, 4);
    flow.dispose();
  });

  it('learns images', async () => {
    const before = memory().buffers;
    const flow = realnvpImage(options);
    const { history } = await fit(flow, train.data, {
      validation: validation.data,
      epochs: 8,
      batchSize: 50,
      optimizer: adam({ lr: 3e-3 }),
      seed: 1,
    });
    expect(history.at(-1)?.bitsPerDim as number).toBeLessThan(
      (history[0]?.bitsPerDim as number) - 0.3,
    );
    expect(history.at(-1)?.bitsPerDim as number).toBeLessThan(7.2);
    scope(() => {
      const drawn = flow.sample(30, { seed: 2 }).toArray();
      expect(drawn.every((v) => Number.isInteger(v) && v >= 0 && v <= 255)).toBe(true);
    });
    flow.dispose();
    expect(memory().buffers).toBe(before);
  });

  it('trains to the same weights and running averages whatever is asked of the memory', async () => {
    const results = [];
    for (const kept of ['taped', 'invertible'] as const) {
      const flow = realnvpImage({ ...options, seed: 7 });
      await fit(flow, train.data, { steps: 6, batchSize: 50, seed: 3, memory: kept });
      const tensors = [...flow.namedParameters(), ...flow.namedState()];
      results.push(tensors.map(([name, tensor]) => [name, tensor.toArray()]));
      flow.dispose();
    }
    expect(results[1]).toEqual(results[0]);
  });

  it('says what it cannot be built for', () => {
    expect(() =>
      realnvpImage({ image: { height: 30, width: 28, channels: 1 }, scales: 3 }),
    ).toThrow(/multiples of 4 for 3 scales, got 30 × 28: pad the images to 32 × 28/);
    expect(() => realnvpImage({ image, scales: 0 })).toThrow(
      /scales: expected a whole number ≥ 1, got 0/,
    );
  });
});

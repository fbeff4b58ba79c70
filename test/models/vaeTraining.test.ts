/** Variational autoencoders: warm-up, binarisation, training, files, what does not fit. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { ActNorm, Invert, Permutation } from '../../lib/bijections';
import { StandardNormal } from '../../lib/distributions';
import { Flow } from '../../lib/flows';
import { BernoulliMade, iafPosterior, mafPrior, Vae, type VaeOptions, vae } from '../../lib/models';
import { mean, neg, RandomStream } from '../../lib/ops';
import { memory } from '../../lib/runtime';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { adam, evaluate, fit } from '../../lib/train';
import { own } from '../disposables';
import { fixture } from '../reference/close';
import { derivative } from '../reference/differences';
import { bits, folders, iaf, make } from './vaeModels';

it('warm-up: the divergence counts along a line, and fully in evaluation', () => {
  const model = make({ latents: 3, posterior: iaf, warmup: { steps: 10, start: 0.2 } }, 4);
  scope(() => {
    const x = tensorOfArray(Float64Array.from(bits(5, 4)), [5, 4]);
    const value = () => mean(model.logProbOfRows(x, null, 'model', new RandomStream(2))).item();
    const elbo = value();
    model.train();
    const at = [0, 5, 10, 40].map((step) => {
      model.beforeStep(step);
      return value();
    });
    const divergence = (at[0]! - elbo) / 0.8;
    expect(divergence).toBeGreaterThan(0.1);
    expect(at[1]).toBeCloseTo(elbo + 0.4 * divergence, 10);
    expect(at.slice(2)).toEqual([elbo, elbo]);
  });
});

it('binarises integers anew in each batch: 1 with probability value/(levels − 1)', () => {
  const model = make({ latents: 2, binarization: { levels: 256 } }, 1);
  scope(() => {
    const x = tensorOfArray(
      Uint8Array.from({ length: 4 * 4000 }, (_, k) => [0, 51, 204, 255][k % 4]!),
      [4000, 4],
    );
    const rows = model.dequantize(x, new RandomStream(5)).dataSync();
    const rate = [0, 1, 2, 3].map((c) => {
      let sum = 0;
      for (let n = 0; n < 4000; n++) sum += rows[4 * n + c]! / 4000;
      return sum;
    });
    expect(rate[0]).toBe(0);
    expect(rate[3]).toBeCloseTo(1, 9);
    expect(Math.abs(rate[1]! - 0.2)).toBeLessThan(4 * Math.sqrt(0.16 / 4000));
    expect(Math.abs(rate[2]! - 0.8)).toBeLessThan(4 * Math.sqrt(0.16 / 4000));
    const drawn = new Set(model.sample(50, { seed: 1 }).dataSync());
    expect([...drawn].sort()).toEqual([0, 255]);
    const means = model.sample(50, { seed: 1, mean: true }).dataSync();
    expect(means.every((value) => value > 0 && value < 255)).toBe(true);
  });
});

describe('training', () => {
  const options = {
    latents: 3,
    posterior: iaf,
    prior: { hidden: [5] },
    freeBits: { nats: 0.05, groups: 3 },
    warmup: { steps: 6 },
  } as const;
  const data = bits(60, 4);
  const train = async (extra: object) => {
    const model = make({ ...options, dtype: 'float32', seed: 3 });
    const result = await fit(model, data, {
      epochs: 3,
      batchSize: 25,
      seed: 1,
      validation: data,
      optimizer: adam({ lr: 1e-2 }),
      ...extra,
    });
    const weights = model.parameters().map((tensor) => [...tensor.dataSync()]);
    return { model, result, weights };
  };

  it('is recorded as a program, with the results of eager steps, and goes on from a checkpoint', async () => {
    const whole = await train({});
    expect(whole.result.compiled).toBe(true);
    expect((await train({ compile: false })).weights).toEqual(whole.weights);
    const folder = mkdtempSync(join(tmpdir(), 'flow-vae-'));
    folders.push(folder);
    const path = join(folder, 'checkpoint.safetensors');
    await train({ steps: 4, epochs: 2, checkpoint: { path, everySeconds: 1e-3 } });
    expect((await train({ resume: path })).weights).toEqual(whole.weights);
  });

  it('rebuilds the activations of posterior and prior, where it is asked to', async () => {
    const plain = { freeBits: null, dtype: 'float64', seed: 3 } as const;
    const losses = await Promise.all(
      (['taped', 'invertible'] as const).map(async (memory) => {
        const model = make({ ...options, ...plain });
        const result = await fit(model, data, { epochs: 2, batchSize: 30, seed: 1, memory });
        expect(result.memory).toBe(memory);
        return result.history.at(-1)!.trainLoss;
      }),
    );
    expect(losses[1]).toBeCloseTo(losses[0]!, 10);
  });

  it('leaves no tensors behind', async () => {
    const before = memory().buffers;
    const { model } = await train({});
    model.sample(3).dispose();
    model.reconstruct(data.subarray(0, 8)).dispose();
    model.logProb(data, null, { samples: 3 }).dispose();
    model.dispose();
    expect(memory().buffers).toBe(before);
  });

  it('is scored by importance sampling, in pieces as in one', async () => {
    const { model } = await train({});
    const rows = bits(2000, 4);
    const bound = await evaluate(model, rows);
    const tight = await evaluate(model, rows, { samples: 20 });
    expect(tight.logProb).toBeGreaterThan(bound.logProb);
    expect(bound.bitsPerDim).toBeCloseTo(-bound.logProb / (4 * Math.LN2), 12);
    // So many draws of a row are in pieces; so many rows, too.
    const logProb = (samples: number, seed: number) =>
      model.logProb(data.subarray(0, 4), null, { samples, seed }).item();
    expect(Math.abs(logProb(300_000, 1) - logProb(100_000, 2))).toBeLessThan(0.02);
    const [first, second] = scope(() => {
      const x = tensorOfArray(Float32Array.from(bits(300, 4)), [300, 4]);
      const by = (k: number) =>
        mean(model.importanceLogProb(x, null, k, new RandomStream(1))).item();
      return [by(400), by(500)]; // in one piece, and in two
    });
    expect(Math.abs(first! - second!)).toBeLessThan(0.02);
    const made = new BernoulliMade({ features: 4, hidden: [3] });
    await expect(evaluate(made, data, { samples: 2 })).rejects.toThrow(
      /samples: expected 1: .* exact, got 2/,
    );
    made.dispose();
  });
});

describe('the importance-weighted bound as a loss', () => {
  it('has the gradients of differences', () => {
    const model = make({ latents: 2, posterior: iaf, prior: { hidden: [4] } }, 12);
    scope(() => {
      const x = tensorOfArray(Float64Array.from(bits(3, 4)), [3, 4]);
      const bound = () => mean(model.importanceLogProb(x, null, 5, new RandomStream(4)));
      const named = [...model.namedParameters()];
      const tensors = named.map(([, tensor]) => tensor);
      const { gradients } = valueAndGradient(bound, tensors);
      named.forEach(([name, tensor], k) => {
        const start = Float64Array.from(tensor.dataSync());
        const direction = fixture(20 + k)(start.length);
        const along = (t: number) => {
          tensor.write(start.map((value, i) => value + t * direction[i]!));
          return scope(() => bound().item());
        };
        const wanted = derivative(along, 0.02);
        tensor.write(start);
        const slopes = gradients[k]!.dataSync() as Float64Array;
        const own = slopes.reduce((sum, slope, i) => sum + slope * direction[i]!, 0);
        expect(Math.abs(own - wanted.value), name).toBeLessThan(
          1e-7 * (1 + Math.abs(own)) + 10 * wanted.error,
        );
      });
    });
  });

  it('is recorded as a step and trains', async () => {
    const model = make({ latents: 2, dtype: 'float32', seed: 2 });
    const data = bits(100, 4);
    const before = await evaluate(model, data, { samples: 50 });
    const { compiled } = await fit(model, data, {
      ...{ epochs: 20, batchSize: 20, optimizer: adam({ lr: 1e-2 }), seed: 1 },
      loss: ({ x, context, stream }) => neg(mean(model.importanceLogProb(x, context, 8, stream))),
    });
    expect(compiled).toBe(true);
    const after = await evaluate(model, data, { samples: 50 });
    expect(after.logProb).toBeGreaterThan(before.logProb + 0.3);
  });
});

it('is the same model after save and load', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'flow-vae-'));
  folders.push(folder);
  const path = join(folder, 'model.safetensors');
  const image = { height: 4, width: 2, channels: 1 };
  const variants: (Partial<VaeOptions> & { latents: number })[] = [
    {
      latents: 2,
      posterior: iaf,
      prior: 'maf',
      contextFeatures: 1,
      freeBits: { nats: 1 },
      warmup: { steps: 3 },
    },
    {
      latents: 2,
      features: 8,
      image,
      conv: { channels: [2, 3], hidden: 4 },
      likelihood: 'normal',
      activation: 'elu',
    },
  ];
  for (const options of variants) {
    const model = make(options, 6);
    await model.save(path);
    const loaded = await Vae.load(path);
    own(loaded);
    expect(loaded.config()).toEqual(model.config());
    scope(() => {
      const x = tensorOfArray(fixture(3)(3 * model.features), [3, model.features]);
      const context = model.contextFeatures > 0 ? fixture(4)(3) : null;
      const values = (one: Vae) => [
        ...one.logProb(x, context, { samples: 4 }).dataSync(),
        ...one.sample(2, { seed: 2, context: context && [0.5] }).dataSync(),
      ];
      expect(values(loaded)).toEqual(values(model));
    });
  }
});

it('says at once where the parts are of two types', () => {
  const given = { features: 4, latents: 3, hidden: [5] };
  const flows = { latents: 3, hidden: [4], dtype: 'float64' } as const;
  for (const [says, options] of [
    [
      /\[Vae\] posterior: bijection.0.*expected float32, as the decoder's weights, got float64: build all parts/,
      { posterior: iafPosterior({ ...flows, contextFeatures: 2 }) },
    ],
    [/\[Vae\] prior.bijection: .*got float64/, { prior: mafPrior(flows) }],
    [
      /\[Vae\] prior.base: expected float32, as the decoder's weights, got float64/,
      {
        prior: new Flow({
          base: new StandardNormal(3, 'float64'),
          bijection: new Permutation([2, 1, 0]),
        }),
      },
    ],
  ] as const)
    expect(() => vae({ ...given, ...options })).toThrow(says);
});

it('says what does not fit', () => {
  const model = make({ latents: 2 });
  const x = tensorOfArray(new Float64Array(8), [2, 4]);
  expect(() => model.logProbOfRows(x, null, 'model')).toThrow(
    /stream: expected a RandomStream, got none/,
  );
  expect(() => model.sample(-1)).toThrow(/samples: expected a whole number ≥ 0, got -1/);
  expect(() => model.sample(1, { temperature: Number.NaN })).toThrow(/temperature: expected a num/);
  expect(() => make({ latents: 2, posterior: new Invert(new ActNorm({ channels: 2 })) })).toThrow(
    /posterior: expected a flow without statistics of data/,
  );
  expect(() => model.logProb(x, null, { samples: 0 })).toThrow(
    /samples: expected a whole number ≥ 1, got 0/,
  );
  expect(() => model.logProb(x, [[1]])).toThrow(/context: expected none, got one/);
  expect(() =>
    make({
      latents: 2,
      posterior: iafPosterior({ latents: 3, contextFeatures: 2, dtype: 'float64' }),
    }),
  ).toThrow(/posterior.features: expected 2, the latents, got 3/);
  expect(() => make({ latents: 2, conv: { channels: [2] } })).toThrow(
    /image: expected height, width and channels/,
  );
  expect(() => make({ latents: 2, warmup: { steps: 0 } })).toThrow(
    /warmup.steps: expected a whole number/,
  );
  x.dispose();
});

/** Variational autoencoders: the bounds against quadrature, free bits, the posterior's density both ways, files, training. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { ActNorm, Chain, Invert, Permutation, Planar } from '../../lib/bijections';
import { StandardNormal } from '../../lib/distributions';
import { Flow, realnvp } from '../../lib/flows';
import {
  BernoulliMade,
  iafPosterior,
  LogisticMixtureLikelihood,
  mafPrior,
  Vae,
  type VaeOptions,
  vae,
} from '../../lib/models';
import { autoregressiveAffineInverse, columns, mean, neg, RandomStream } from '../../lib/ops';
import { memory } from '../../lib/runtime';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { adam, evaluate, fit } from '../../lib/train';
import { randomize } from '../bijections/cases';
import { expectClose, fixture } from '../reference/close';
import { derivative } from '../reference/differences';
import { quadratureGrid } from '../reference/quadrature';

const made: Vae[] = [];
const folders: string[] = [];
function make(options: Partial<VaeOptions> & { latents: number }, seed?: number, scale = 0.6): Vae {
  const model = vae({ features: 4, hidden: [5], activation: 'tanh', dtype: 'float64', ...options });
  made.push(model);
  if (seed !== undefined) randomize(model, seed, scale);
  return model;
}
afterEach(() => {
  for (const model of made.splice(0)) model.dispose();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const iaf = { transforms: 2, hidden: [6], contextFeatures: 2 } as const;
const bits = (rows: number, features: number) =>
  Uint8Array.from({ length: rows * features }, (_, k) =>
    (Math.floor(k / features) * 7 + (k % features) * 3) % 5 < 2 ? 1 : 0,
  );

/** log Σ exp(values + log weights). */
function logIntegral(values: ArrayLike<number>, weights: ArrayLike<number>): number {
  const most = Math.max(...Array.from(values));
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += weights[i]! * Math.exp(values[i]! - most);
  return most + Math.log(sum);
}

/** log p(x) of one row by quadrature over the only latent. */
function quadrature(model: Vae, row: Float64Array, context: Float64Array | null = null): number {
  const { nodes, weights } = quadratureGrid(-12, 12, 80);
  return scope(() => {
    const z = tensorOfArray(nodes, [nodes.length, 1]);
    const repeat = (values: Float64Array) =>
      tensorOfArray(
        Float64Array.from(
          { length: nodes.length * values.length },
          (_, i) => values[i % values.length]!,
        ),
        [nodes.length, values.length],
      );
    const given = context && repeat(context);
    const logLikelihood = model.likelihood.logProb(model.decoder.apply(z, given), repeat(row));
    const prior = model.prior?.logProb(z).dataSync();
    const joint = Array.from(logLikelihood.dataSync(), (value, i) => {
      const normal = -0.5 * nodes[i]! ** 2 - 0.5 * Math.log(2 * Math.PI);
      return value + (prior ? (prior[i] as number) : normal);
    });
    return logIntegral(joint, weights);
  });
}

describe('the bounds of one latent against quadrature', () => {
  const variants: [string, Partial<VaeOptions>, boolean][] = [
    ['diagonal posterior', {}, false],
    ['IAF posterior, context', { posterior: iaf, contextFeatures: 2 }, true],
    ['Gaussian decoder, MAF prior', { likelihood: 'normal', prior: { hidden: [4] } }, false],
  ];
  it.each(variants)('%s', (_name, options, conditional) => {
    const model = make({ latents: 1, ...options }, 7);
    const row = Float64Array.of(1, 0, 0, 1);
    const context = conditional ? Float64Array.of(0.3, -0.8) : null;
    const exact = quadrature(model, row, context);
    const estimate = (rows: number, samples: number) =>
      scope(() => {
        const x = tensorOfArray(
          Float64Array.from({ length: 4 * rows }, (_, i) => row[i % 4]!),
          [rows, 4],
        );
        const logProb = [...model.logProb(x, context, { samples, seed: 3 }).dataSync()];
        const average = logProb.reduce((a, b) => a + b, 0) / rows;
        const variance = logProb.reduce((a, b) => a + (b - average) ** 2, 0) / (rows - 1);
        return { average, error: Math.sqrt(variance / rows) };
      });
    const elbo = estimate(4000, 1);
    const eight = estimate(1000, 8);
    const many = estimate(16, 4000);
    // The bound rises with K and ends at log p, within four standard errors.
    expect(elbo.average).toBeLessThan(exact - 4 * elbo.error);
    expect(eight.average).toBeGreaterThan(elbo.average + 4 * elbo.error);
    expect(eight.average).toBeLessThan(exact + 4 * eight.error);
    expect(Math.abs(many.average - exact)).toBeLessThan(4 * many.error + 1e-3);
    // The ELBO of evaluation has the same mean, whatever its divergence is made of.
    const terms = scope(() => {
      const x = tensorOfArray(
        Float64Array.from({ length: 16000 }, (_, i) => row[i % 4]!),
        [4000, 4],
      );
      const { elbo: bound, logLikelihood, divergence } = model.terms(x, context, { seed: 5 });
      const [b, l, d] = [bound, logLikelihood, divergence].map((t) => mean(t).item());
      expect(b!).toBeCloseTo(l! - d!, 10);
      return b!;
    });
    expect(Math.abs(terms - elbo.average)).toBeLessThan(6 * elbo.error);
  });
});

describe('the IAF posterior', () => {
  it('has the density of its draws by the way back, for each row its own', () => {
    const model = make({ latents: 5, posterior: { ...iaf, transforms: 3 } }, 11, 0.8);
    scope(() => {
      const x = tensorOfArray(fixture(4)(4 * 6), [6, 4]);
      const { z, logQ } = model.encode(x, null, { seed: 2 });
      expectClose(model.posteriorLogProb(z, x).dataSync(), logQ.dataSync(), 1e4, 'log q');
    });
  });

  it('integrates to one over two latents', () => {
    const model = make({ latents: 2, posterior: iaf }, 5);
    const axis = quadratureGrid(-9, 9, 14, 8);
    const n = axis.nodes.length;
    scope(() => {
      const z = Float64Array.from({ length: 2 * n * n }, (_, k) =>
        k % 2 ? axis.nodes[(k >> 1) % n]! : axis.nodes[Math.floor((k >> 1) / n)]!,
      );
      const weights = Float64Array.from(
        { length: n * n },
        (_, k) => axis.weights[k % n]! * axis.weights[Math.floor(k / n)]!,
      );
      const x = tensorOfArray(new Float64Array(4 * n * n).fill(0.4), [n * n, 4]);
      const logQ = model.posteriorLogProb(tensorOfArray(z, [n * n, 2]), x).dataSync();
      expect(logIntegral(logQ, weights)).toBeCloseTo(0, 5);
    });
  });

  it('starts as the Gaussian: a factor undoes the contraction of the forget gates', () => {
    const model = make({ latents: 3, posterior: { ...iaf, bias: 2 } });
    scope(() => {
      const z = tensorOfArray(fixture(1)(6), [2, 3]);
      const h = tensorOfArray(fixture(2)(4), [2, 2]);
      const { x, logDet } = model.posterior!.inverse(z, h);
      expectClose(x.dataSync(), z.dataSync() as Float64Array, 8, 'z');
      expectClose(logDet.dataSync(), [0, 0], 8, 'logDet', 1);
      const steps = ((model.posterior as Invert).bijection as Chain).bijections.slice(0, 2);
      const gated = new Chain(steps).forward(z, h);
      const gate = 1 / (1 + Math.exp(-2));
      const wanted = z.dataSync().map((value) => (value as number) * gate ** 2);
      expectClose(gated.y.dataSync(), wanted as Float64Array, 8, 'gates alone');
    });
  });
});

describe('free bits', () => {
  const gradientsOf = (model: Vae, objective: () => Tensor) => {
    const named = [...model.namedParameters()];
    const { value, gradients } = valueAndGradient(
      () => neg(mean(objective())),
      named.map(([, tensor]) => tensor),
    );
    return { value: value.item(), gradients: gradients.map((g) => g?.dataSync() ?? null) };
  };

  it.each([
    ['all groups below λ', { posterior: iaf, freeBits: { nats: 100, groups: 2 } }, 200],
    ['one group', { posterior: iaf, freeBits: { nats: 100, groups: 1 } }, 100],
    ['exact divergences', { freeBits: { nats: 100 } }, 400],
  ] as const)(
    '%s: the divergence is exactly λ a group, without a gradient',
    (_name, options, cost) => {
      const model = make({ latents: 4, ...options }, 3).train();
      scope(() => {
        const x = tensorOfArray(Float64Array.from(bits(6, 4)), [6, 4]);
        const bounded = gradientsOf(model, () =>
          model.logProbOfRows(x, null, 'model', new RandomStream(9)),
        );
        const alone = gradientsOf(model, () => {
          const stream = new RandomStream(9);
          const noise = stream.normal([6, 4], 'float64');
          const z = drawOf(model, x, noise);
          return model.likelihood.logProb(model.decoder.apply(z, null), x);
        });
        expectClose([bounded.value], [alone.value + cost], 4, 'objective');
        bounded.gradients.forEach((gradient, k) => {
          const wanted = alone.gradients[k] ?? new Float64Array(gradient?.length ?? 0);
          expectClose(gradient ?? [], wanted, 50, `gradient ${k}`);
        });
      });
    },
  );

  it('below what every group carries change nothing', () => {
    const options = { latents: 4, posterior: iaf, prior: { hidden: [5] } } as const;
    const model = make({ ...options, freeBits: { nats: 0.01, groups: 2 } }, 3, 1.5);
    scope(() => {
      const x = tensorOfArray(fixture(8)(4 * 50), [50, 4]);
      const bound = () => mean(model.logProbOfRows(x, null, 'model', new RandomStream(9))).item();
      const elbo = bound();
      model.train();
      expect(bound()).toBeCloseTo(elbo, 10);
    });
  });

  it('count a latent where it stands, whatever the prior permutes', () => {
    const objective = (bijection: Chain) => {
      const prior = new Flow({ base: new StandardNormal(4, 'float64'), bijection });
      const model = make({ latents: 4, prior, freeBits: { nats: 0.4, groups: 4 } }, 3, 0.9).train();
      const x = tensorOfArray(Float64Array.from(bits(6, 4)), [6, 4]);
      return mean(model.logProbOfRows(x, null, 'model', new RandomStream(9))).item();
    };
    scope(() => {
      const plain = objective(new Chain([], 4));
      const permuted = objective(
        new Chain([new Permutation([1, 2, 3, 0]), new Permutation([1, 0, 3, 2])]),
      );
      expect(permuted).toBe(plain);
    });
  });

  it('of groups want flows whose log-determinant has a summand a latent', () => {
    const coupling = realnvp({ features: 4, hidden: [4], dtype: 'float64' });
    expect(() => make({ latents: 4, prior: coupling, freeBits: { nats: 1, groups: 2 } })).toThrow(
      /freeBits.groups: expected 1, .* got 2: pass groups: 1/,
    );
    make({ latents: 4, prior: coupling, freeBits: { nats: 1, groups: 1 } });
    expect(() => make({ latents: 4, freeBits: { nats: 1, groups: 3 } })).toThrow(
      /a divisor of the 4 latents, got 3/,
    );
  });
});

/** z of given noise, by the parts of the model. */
function drawOf(model: Vae, x: Tensor, noise: Tensor): Tensor {
  const out = model.encoder.apply(x, null);
  const scale = { kind: 'softClamp', bound: 10 } as const;
  const z = autoregressiveAffineInverse(noise, columns(out, 0, 2 * model.latents), { scale }).x;
  if (!model.posterior) return z;
  return model.posterior.inverse(z, columns(out, 2 * model.latents, out.cols)).x;
}

describe('the mixture of logistics as a decoder', () => {
  it('has the mean of its distribution, drawn and summed over the levels', () => {
    const levels = 9;
    const likelihood = new LogisticMixtureLikelihood({ features: 2, components: 2, levels });
    scope(() => {
      const draw = fixture(6);
      const rows = 20000;
      const one = [...draw(likelihood.outputs, 0.4)].map((v, k) => (k % 6 > 3 ? v - 1.5 : v));
      const params = (n: number) =>
        tensorOfArray(
          Float64Array.from({ length: n * one.length }, (_, i) => one[i % one.length]!),
          [n, one.length],
        );
      // p of each level of the first pixel, the second at level 0; then the other way round.
      const expectations = [0, 1].map((pixel) => {
        const x = Float64Array.from({ length: 2 * levels }, (_, i) =>
          i % 2 === pixel ? i >> 1 : 0,
        );
        const p = [
          ...likelihood.logProb(params(levels), tensorOfArray(x, [levels, 2])).dataSync(),
        ].map(Math.exp);
        const total = p.reduce((a, b) => a + b, 0);
        return p.reduce((sum, value, level) => sum + (level * value) / total, 0);
      });
      const drawn = likelihood.sample(params(rows), new RandomStream(3)).dataSync();
      for (const pixel of [0, 1]) {
        let average = 0;
        for (let n = 0; n < rows; n++) average += drawn[2 * n + pixel]! / rows;
        expect(Math.abs(average - expectations[pixel]!)).toBeLessThan(0.08);
        // The mean is that of logistics which are not cut off at the ends.
        const mean = likelihood.mean(params(1)).dataSync()[pixel]!;
        expect(Math.abs(mean - expectations[pixel]!)).toBeLessThan(0.25);
      }
      expect(
        likelihood.input(tensorOfArray(Float64Array.of(0, levels - 1), [1, 2])).dataSync(),
      ).toEqual(Float64Array.of(-1, 1));
    });
    likelihood.dispose();
  });
});

describe('other flows as posteriors', () => {
  it('bend the Gaussian by the context: planar', async () => {
    const chain = new Chain(
      [1, 2].map((seed) => new Planar({ features: 3, contextFeatures: 4, seed, dtype: 'float64' })),
    );
    const model = make({ latents: 3, posterior: new Invert(chain) }, 8, 0.7);
    scope(() => {
      const x = tensorOfArray(fixture(4)(4 * 6), [6, 4]);
      const { z, logQ } = model.encode(x, null, { seed: 2 });
      // The way back is Newton's.
      expectClose(model.posteriorLogProb(z, x).dataSync(), logQ.dataSync(), 1e6, 'log q');
    });
    const result = await fit(model, bits(60, 4), { epochs: 2, batchSize: 30, seed: 1 });
    expect(result.compiled).toBe(true);
  });
});

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
    made.pop();
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
    made.push(loaded);
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

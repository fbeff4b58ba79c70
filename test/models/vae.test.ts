import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { Chain, type Invert, Permutation, Planar, Radial, Sylvester } from '../../lib/bijections';
import { StandardNormal } from '../../lib/distributions';
import { Flow, realnvp } from '../../lib/flows';
import { LogisticMixtureLikelihood, type Vae, type VaeOptions } from '../../lib/models';
import { autoregressiveAffineInverse, columns, mean, neg, RandomStream } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { fit } from '../../lib/train';
import { expectClose, fixture } from '../reference/close';
import { quadratureGrid } from '../reference/quadrature';

import { bits, iaf, make } from './vaeModels';

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
  it.each([
    ['planar', Planar],
    ['radial', Radial],
    ['sylvester', Sylvester],
  ] as const)('bend the Gaussian by the context: %s', async (kind, map) => {
    const posterior = { kind, transforms: 2, contextFeatures: 4 };
    const model = make({ latents: 3, posterior }, 8, 0.7);
    const { bijections } = (model.posterior as Invert).bijection as Chain;
    expect(bijections.map((one) => one instanceof map)).toEqual([true, true]);
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

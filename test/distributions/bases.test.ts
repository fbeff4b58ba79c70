/** Bases with heavy tails, and bases that are shaped by rejection. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  Affine,
  adam,
  Flow,
  FlowError,
  fit,
  fitReverseKl,
  GaussianMixture,
  maf,
  memory,
  mul,
  neg,
  RandomStream,
  Resampled,
  StandardNormal,
  StudentT,
  scope,
  sum,
  tensor,
} from '../../lib';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { randomize } from '../bijections/cases';
import { integrate1d } from '../reference/quadrature';

const folder = mkdtempSync(join(tmpdir(), 'bases-'));
afterAll(() => rmSync(folder, { recursive: true }));

const column = (values: ArrayLike<number>) => {
  const data = Float64Array.from(values);
  return tensor(data, { shape: [data.length, 1] });
};
const density =
  (base: { logProb: (z: ReturnType<typeof column>) => ReturnType<typeof column> }) =>
  (x: Float64Array) =>
    scope(() => base.logProb(column(x)).dataSync().map(Math.exp) as Float64Array);
const identity = (features: number) =>
  new Affine({
    logScale: new Float64Array(features),
    shift: new Float64Array(features),
    learned: true,
  });

describe('StudentT', () => {
  it('has other degrees a feature, which draws follow', () => {
    const base = new StudentT({ features: 2, degrees: [1, 30], dtype: 'float64' });
    const stream = new RandomStream(5);
    const n = 40_000;
    const draws = base.sample(n, stream).dataSync();
    const share = (c: number, level: number) => {
      let count = 0;
      for (let k = c; k < 2 * n; k += 2) if ((draws[k] as number) > level) count++;
      return count / n;
    };
    // Cauchy: ½ − atan(level)/π; five standard errors.
    for (const level of [0, 1, 30]) {
      const expected = 0.5 - Math.atan(level) / Math.PI;
      expect(Math.abs(share(0, level) - expected)).toBeLessThan(5 * Math.sqrt(expected / n));
    }
    expect(Math.abs(share(1, 1.697) - 0.05)).toBeLessThan(5 * Math.sqrt(0.05 / n)); // a table's quantile
    expect(base.degrees[0]).toBeCloseTo(1, 12);
    stream.dispose();
    base.dispose();
  });

  it('has draws that can be differentiated by the degrees', () => {
    const base = new StudentT({ features: 1, degrees: 6, dtype: 'float64' });
    // E t² = ν/(ν − 2): by log ν, −2ν/(ν − 2)². A million draws of t² have an error of 0.003.
    const loss = () => {
      const stream = new RandomStream(9);
      const t = base.sample(400_000, stream);
      stream.dispose();
      return sum(mul(mul(t, t), 1 / 400_000));
    };
    const { value, gradients } = scope(() => {
      const made = valueAndGradient(loss, [base.logDegrees]);
      return { value: made.value.item(), gradients: made.gradients.map((g) => g?.item()) };
    });
    expect(value).toBeCloseTo(1.5, 1);
    expect(gradients[0]).toBeCloseTo(-12 / 16, 1);
    base.dispose();
  });

  it('learns how heavy the tails of the data are, far rows and all', async () => {
    const source = new StudentT({ features: 1, degrees: 2, dtype: 'float64' });
    const stream = new RandomStream(3);
    const rows = Float32Array.from(source.sample(4000, stream).dataSync());
    const flow = new Flow({ base: new StudentT({ features: 1 }), bijection: identity(1) });
    const options = { optimizer: adam({ lr: 2e-2 }), epochs: 12, batchSize: 200, seed: 1 };
    const { compiled } = await fit(flow, rows, options);
    expect(compiled).toBe(true);
    const { degrees } = flow.base as StudentT;
    expect(degrees[0]).toBeGreaterThan(1.6);
    expect(degrees[0]).toBeLessThan(2.6);
    expect(Number.isFinite(flow.logProb([[1e30]]).item())).toBe(true);
    const path = join(folder, 't.safetensors');
    await flow.save(path);
    const loaded = await Flow.load(path);
    expect(loaded.logProb([[7]]).item()).toBe(flow.logProb([[7]]).item());
    for (const part of [source, stream, flow, loaded]) part.dispose();
  });

  it('refuses degrees that are none', () => {
    for (const degrees of [0, Infinity, [1, 2, 3]])
      expect(() => new StudentT({ features: 2, degrees })).toThrow(FlowError);
  });
});

describe('Resampled', () => {
  const made = (truncation: number) => {
    const base = new Resampled({
      features: 1,
      hidden: [6],
      activation: 'tanh',
      truncation,
      dtype: 'float64',
    });
    randomize(base.network, 8, 1.5);
    return base;
  };
  /** E_q a by quadrature. */
  const exact = (base: Resampled) => {
    const q = density(new StandardNormal(1, 'float64'));
    return integrate1d(
      (x) => {
        const logits = scope(() => base.network.apply(column(x), null).dataSync());
        return q(x).map((p, k) => p / (1 + Math.exp(-(logits[k] as number))));
      },
      -12,
      12,
    );
  };

  it.each([2, 5, 100])('with T = %i integrates to 1, and samples itself', (truncation) => {
    const base = made(truncation);
    const z = exact(base);
    // 65536 draws of a number in [0, 1]: four standard errors.
    expect(Math.abs(base.estimate() - z)).toBeLessThan(4 * Math.sqrt((z * (1 - z)) / 65536));
    base.normalizer.write(Float64Array.of(z));
    const p = density(base);
    expect(integrate1d(p, -12, 12)).toBeCloseTo(1, 8);
    // Not the proposal.
    expect(Math.abs((p(Float64Array.of(1))[0] as number) - 0.24197)).toBeGreaterThan(0.01);
    const stream = new RandomStream(4);
    const n = 40_000;
    const before = memory().buffers;
    const draws = scope(() => base.sample(n, stream).dataSync());
    expect(memory().buffers).toBe(before);
    for (const level of [-1, 0, 1]) {
      const expected = integrate1d(p, -12, level);
      const share = Float64Array.from(draws).filter((v) => v < level).length / n;
      expect(Math.abs(share - expected)).toBeLessThan(
        5 * Math.sqrt((expected * (1 - expected)) / n),
      );
    }
    stream.dispose();
    base.dispose();
  });

  it('has in training the gradient of the log-likelihood with its normaliser', () => {
    const base = made(7);
    const rows = new RandomStream(6);
    const x = rows.normal([20_000, 1], 'float64');
    const bias = base.network.parameters().at(-1) as ReturnType<typeof column>;
    const meanOf = (stream: RandomStream | null) => () =>
      mul(sum(base.logProb(x, stream)), 1 / x.rows);
    // By differences, with Z by quadrature.
    const at = (shift: number) => {
      const start = Number(bias.item());
      bias.write(Float64Array.of(start + shift));
      base.normalizer.write(Float64Array.of(exact(base)));
      const value = scope(() => meanOf(null)().item());
      bias.write(Float64Array.of(start));
      return value;
    };
    const slope = (at(1e-4) - at(-1e-4)) / 2e-4;
    const z = exact(base);
    base.normalizer.write(Float64Array.of(z));
    base.train();
    const stream = new RandomStream(7);
    const gradient = (of: RandomStream | null) =>
      scope(() => valueAndGradient(meanOf(of), [bias]).gradients[0]?.item() as number);
    const found = gradient(stream);
    // 20,000 draws of a′ = a(1 − a) < ¼, over Z.
    const error = 0.25 / z / Math.sqrt(20_000);
    expect(Math.abs(found - slope)).toBeLessThan(4 * error);
    // Without draws the normaliser is a constant, and the gradient another.
    base.normalizer.write(Float64Array.of(z));
    expect(Math.abs(gradient(null) - slope)).toBeGreaterThan(10 * error);
    for (const part of [base, rows, stream, x]) part.dispose();
  });

  it('learns two modes that an affine map has not, resumes bit for bit, and is saved', async () => {
    const stream = new RandomStream(2);
    const noise = stream.normal([4000, 1]).dataSync();
    const side = stream.uniformArray(4000);
    const rows = Float32Array.from(
      noise,
      (v, k) => 0.35 * v + ((side[k] as number) < 0.5 ? -1.5 : 1.5),
    );
    const flowOf = () =>
      new Flow({
        base: new Resampled({ features: 1, hidden: [32, 32], truncation: 30, seed: 1 }),
        bijection: identity(1),
      });
    const options = {
      validation: rows.subarray(0, 500),
      optimizer: adam({ lr: 5e-3 }),
      batchSize: 250,
      seed: 1,
    };
    const flow = flowOf();
    const { compiled, best } = await fit(flow, rows.subarray(500), { ...options, epochs: 20 });
    expect(compiled).toBe(true);
    // The best Gaussian has −½ log 2πe(1.5² + 0.35²) = −1.85; the truth is −0.37 − log 2 = −1.06.
    expect(best?.validationLogProb).toBeGreaterThan(-1.2);
    const base = flow.base as Resampled;
    const inUse = base.normalizer.item();
    expect(base.estimate()).toBe(inUse);
    const p = density({ logProb: (z) => flow.logProb(z) });
    expect(integrate1d(p, -9, 9)).toBeCloseTo(1, 1);

    const path = join(folder, 'checkpoint.safetensors');
    const half = flowOf();
    const checkpoint = { path, everyEpochs: 1 };
    await fit(half, rows.subarray(500), { ...options, epochs: 3, checkpoint });
    await fit(half, rows.subarray(500), { ...options, epochs: 6, checkpoint, resume: path });
    const whole = flowOf();
    await fit(whole, rows.subarray(500), { ...options, epochs: 6 });
    const scores = (of: Flow) => of.logProb([[0], [1.5]]).toArray();
    expect(scores(half)).toEqual(scores(whole));
    const file = join(folder, 'resampled.safetensors');
    await whole.save(file);
    const loaded = await Flow.load(file);
    expect(scores(loaded)).toEqual(scores(whole));
    expect(loaded.sample(50, { seed: 1 }).toArray()).toEqual(
      whole.sample(50, { seed: 1 }).toArray(),
    );
    for (const part of [stream, flow, half, whole, loaded]) part.dispose();
  });

  it('is refused by reverse KL, as mixtures are', async () => {
    for (const base of [new Resampled({ features: 2, hidden: [4] }), new GaussianMixture(2, 3)]) {
      const flow = maf({ features: 2, hidden: [4], transforms: 1, base });
      await expect(
        fitReverseKl(flow, (x) => neg(sum(mul(x, x), -1)), { steps: 1 }),
      ).rejects.toThrow(/draws can be differentiated/);
      flow.dispose();
    }
  });

  it('refuses what does not fit', () => {
    const features = 2;
    expect(() => new Resampled({ features, truncation: 1 })).toThrow(/truncation/);
    expect(() => new Resampled({ features, momentum: 0 })).toThrow(/momentum/);
    expect(() => new Resampled({ features, proposal: new StandardNormal(3) })).toThrow(/proposal/);
    expect(() => new Resampled({ features, proposal: new GaussianMixture(2, 2) })).toThrow(
      /follow its parameters/,
    );
  });
});

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  adam,
  add,
  affineScalar,
  categoricalSample,
  columns,
  discretizedLogisticMixtureSample,
  evaluate,
  exp,
  fit,
  mul,
  ParallelWaveNet,
  RandomStream,
  rowsView,
  scope,
  type Tensor,
  type WaveLikelihood,
  WaveNet,
  type WaveNetOptions,
} from '../../lib';
import { tensorOfArray as tensor } from '../../lib/tensor/tensor';

const outputs: readonly WaveLikelihood[] = [
  { kind: 'categorical', levels: 7 },
  { kind: 'logistic', levels: 40, components: 3, leastLogScale: -4 },
  { kind: 'normal' },
];
const conditioning = { local: { channels: 2, hop: 3 }, global: 2, condition: 3 };

/** A small WaveNet whose weights are no longer what they started from. */
function made(options: Partial<WaveNetOptions> & { likelihood: WaveLikelihood }): WaveNet {
  const net = new WaveNet({ length: 12, layers: 2, stacks: 2, hidden: 5, seed: 3, ...options });
  const stream = new RandomStream(17);
  for (const parameter of net.parameters()) {
    scope(() => {
      const noise = affineScalar(stream.normal(parameter.shape, net.dtype), 0.2);
      parameter.write(add(parameter, noise).dataSync());
    });
  }
  stream.dispose();
  return net;
}

const student = () =>
  new ParallelWaveNet({ length: 12, stacks: [1], layers: 2, hidden: 4, ...conditioning });

const { floor } = Math;
/** Values that the likelihood has, [N, T]. */
function valuesOf(net: WaveNet, samples: number, length: number): Float64Array {
  const top = net.likelihood.kind === 'normal' ? 0 : net.likelihood.levels;
  return Float64Array.from({ length: samples * length }, (_, i) => {
    const u = ((i * 7919 + 13) % 1009) / 1009;
    return top > 0 ? floor(u * top) : 2 * u - 1;
  });
}
const rowsOf = (values: Float64Array, length: number, dtype: 'float32' | 'float64' = 'float32') =>
  tensor(dtype === 'float32' ? Float32Array.from(values) : values, [
    values.length / length,
    length,
  ]);
const contextOf = (samples: number, features: number) =>
  tensor(
    Float32Array.from({ length: samples * features }, (_, i) => Math.sin(3 * i)),
    [samples, features],
  );

describe.each(outputs.map((likelihood) => [likelihood.kind, likelihood] as const))(
  'WaveNet, %s',
  (_, likelihood) => {
    it('sees nothing of the same moment or later: exactly zero', () => {
      const net = made({ likelihood, ...conditioning });
      const context = contextOf(1, net.contextFeatures);
      const base = valuesOf(net, 1, 12);
      const width = net.likelihood.columns;
      const run = (values: Float64Array) =>
        scope(() => net.parametersOf(net.toValues(rowsOf(values, 12)), context).dataSync());
      const before = run(base);
      for (let t = 0; t < 12; t++) {
        const touched = base.slice();
        touched[t] =
          likelihood.kind === 'normal' ? base[t]! + 0.5 : (base[t]! + 1) % net.likelihood.levels;
        const after = run(touched);
        const changed = Array.from({ length: 12 }, (_, s) =>
          after.slice(s * width, (s + 1) * width).some((v, i) => v !== before[s * width + i]),
        );
        expect(changed.slice(0, t + 1)).toEqual(Array(t + 1).fill(false));
        // Dilations 1, 2, 1, 2: the six moments behind depend on it.
        expect(changed.slice(t + 1, t + 8)).toEqual(Array(Math.min(7, 11 - t)).fill(true));
        expect(changed.slice(t + net.receptiveField + 1).some(Boolean)).toBe(false);
      }
      net.dispose();
    });

    it.each([null, conditioning])('draws what whole passes draw, bit for bit (%o)', (given) => {
      const net = made({ likelihood, hidden: 19, gates: 33, skips: 18, head: 65, ...given });
      const [samples, length] = [11, 12];
      const stream = new RandomStream(5);
      const noise = net.noise(samples, length, stream);
      const context = given ? contextOf(samples, net.contextFeatures) : null;
      const drawn = net.sampleFrom(noise, { context }).dataSync();
      const values = new Float32Array(samples * length);
      const width = net.likelihood.columns;
      for (let t = 0; t < length; t++) {
        scope(() => {
          const x = tensor(values, [samples, length]);
          const all = net.parametersOf(net.toValues(x), context);
          const data = all.dataSync();
          const now = tensor(
            Float32Array.from({ length: samples * width }, (_, i) => {
              const at = (floor(i / width) * length + t) * width + (i % width);
              return data[at] as number;
            }),
            [samples, width],
          );
          const next = draw(net, now, noise, t).dataSync();
          for (let n = 0; n < samples; n++) values[n * length + t] = next[n] as number;
        });
      }
      expect(Array.from(drawn)).toEqual(Array.from(values));
      // What begins with a part of it goes on with the rest.
      const start = { data: values.filter((_, i) => i % length < 5), rows: samples, cols: 5 };
      expect(Array.from(net.sampleFrom(noise, { context, start }).dataSync())).toEqual(
        Array.from(values),
      );
      stream.dispose();
      net.dispose();
    });

    it('is saved, loaded and scored in pieces alike', async () => {
      const net = made({ likelihood, length: 3000, local: { channels: 1, hop: 1000 }, layers: 1 });
      const path = join(mkdtempSync(join(tmpdir(), 'wave-')), 'wave.safetensors');
      await net.save(path);
      const again = await WaveNet.load(path);
      const [x, context] = [rowsOf(valuesOf(net, 23, 3000), 3000), contextOf(23, 3)];
      const whole = net.logProb(x, context).dataSync();
      expect(Array.from(again.logProb(x, context).dataSync())).toEqual(Array.from(whole));
      const [one, its] = [rowsView(x, 22, 23), rowsView(context, 22, 23)];
      expect(net.logProb(one, its).dataSync()[0]).toBe(whole[22]);
      net.dispose();
      again.dispose();
    });

    it('learns by recorded steps', async () => {
      const length = 16;
      const net = new WaveNet({ length, layers: 3, stacks: 1, hidden: 8, likelihood, seed: 1 });
      // Up and down within the levels: the next value follows from the ones before.
      const top = likelihood.kind === 'normal' ? 0 : net.likelihood.levels - 1;
      const values = Float64Array.from({ length: 64 * length }, (_, i) => {
        const wave = Math.sin((i % length) * 0.9 + floor(i / length));
        return top > 0 ? Math.round(((wave + 1) / 2) * top) : wave;
      });
      const train = rowsOf(values, length);
      const before = (await evaluate(net, train)).logProb;
      const { compiled, history } = await fit(net, train, {
        epochs: 40,
        batchSize: 16,
        optimizer: adam({ lr: 0.01 }),
      });
      expect(compiled).toBe(true);
      expect(history.length).toBe(40);
      expect((await evaluate(net, train)).logProb - before).toBeGreaterThan(length * 0.5);
      net.dispose();
    });
  },
);

/** Values of one moment from the parameters and the random numbers of moment t, by the ops. */
function draw(net: WaveNet, parameters: Tensor, noise: Tensor, t: number): Tensor {
  const { kind, levels, leastLogScale } = net.likelihood;
  if (kind === 'categorical') return categoricalSample(parameters, columns(noise, t, t + 1));
  if (kind === 'logistic') {
    const uniform = columns(noise, 2 * t, 2 * t + 2);
    return discretizedLogisticMixtureSample(parameters, uniform, { levels, leastLogScale });
  }
  const { mean, logScale } = net.normalOf(parameters);
  return add(mean, mul(exp(logScale), columns(noise, t, t + 1)));
}

describe('WaveNet', () => {
  it.each(outputs.slice(0, 2))('sums to 1 over all sequences of levels: %o', (likelihood) => {
    const net = made({ likelihood, dtype: 'float64' });
    const { levels } = net.likelihood;
    const all = Float64Array.from({ length: 2 * levels * levels }, (_, i) =>
      i % 2 === 0 ? floor(i / 2 / levels) : floor(i / 2) % levels,
    );
    const p = scope(() => net.logProbOfRows(rowsOf(all, 2, 'float64'), null).dataSync());
    const total = Array.from(p).reduce((sum, value) => sum + Math.exp(value), 0);
    expect(Math.abs(total - 1)).toBeLessThan(1e-12);
    net.dispose();
  });

  it('integrates to 1 with a Gaussian', () => {
    const net = made({ likelihood: { kind: 'normal' }, dtype: 'float64' });
    // The trapezoidal rule on a smooth function that has vanished at the ends is exact to rounding.
    const [side, reach] = [121, 12];
    const at = (i: number) => (2 * reach * i) / (side - 1) - reach;
    const all = Float64Array.from({ length: 2 * side * side }, (_, i) =>
      at(i % 2 === 0 ? floor(i / 2 / side) : floor(i / 2) % side),
    );
    const p = scope(() => net.logProbOfRows(rowsOf(all, 2, 'float64'), null).dataSync());
    const cell = ((2 * reach) / (side - 1)) ** 2;
    const total = Array.from(p).reduce((sum, value) => sum + Math.exp(value) * cell, 0);
    expect(Math.abs(total - 1)).toBeLessThan(1e-6);
    net.dispose();
  });

  it.each(['categorical', 'logistic', 'normal'] as const)(
    'weights that are not finite draw nothing: %s',
    (kind) => {
      const net = made({ likelihood: { kind } });
      const [weight] = net.parameters().slice(-1) as [Tensor];
      const values = weight.dataSync().slice();
      values[0] = Number.NaN;
      weight.write(values);
      expect(() => net.sample(3, { length: 4, seed: 1 })).toThrow(
        /\[sample\] what the model says: expected distributions, got NaN or infinite parameters in 3 of 3 rows/,
      );
      net.dispose();
    },
  );

  it('says what does not fit', () => {
    const likelihood = { kind: 'normal' } as const;
    expect(() => new WaveNet({ length: 10, likelihood, local: { channels: 1, hop: 3 } })).toThrow(
      /local.hop: expected a divisor of the length 10, got 3/,
    );
    const net = made({ likelihood, global: 1 });
    expect(() => net.sample(2, { context: [[1]], length: 3, start: [1, 2, 3, 4] })).toThrow(
      /start: expected 1 or 2 rows of up to 3 columns, got 1 of 4/,
    );
    expect(() => net.sample(2)).toThrow(/context: expected rows of 1 numbers, got none/);
    expect(() => net.sample(1.5)).toThrow(/samples: expected a whole number ≥ 0, got 1.5/);
    expect(() => net.sample(1, { temperature: -1 })).toThrow(/temperature: expected a number ≥ 0/);
    expect(() => net.sample(1, { length: 0 })).toThrow(
      /length: expected a whole number ≥ 1, got 0/,
    );
    net.dispose();
    for (const local of [made({ likelihood, ...conditioning }), student()]) {
      expect(() => local.sample(1, { length: 4, context: [[1]] })).toThrow(
        /length: expected a multiple of the hop 3, got 4/,
      );
      local.dispose();
    }
  });
});

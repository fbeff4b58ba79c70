import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  adam,
  add,
  affineScalar,
  type Batch,
  distillation,
  fit,
  momentLogDensity,
  ParallelWaveNet,
  type ParallelWaveNetOptions,
  RandomStream,
  scope,
  stftPower,
  type Tensor,
  WaveNet,
} from '../../lib';
import { valueAndGradient } from '../../lib/autograd/gradient';
import type { Module } from '../../lib/nn';
import { tensorOfArray } from '../../lib/tensor/tensor';

/** Weights that are no longer what they started from. */
function moved<M extends Module>(model: M, seed: number, size = 0.2): M {
  const stream = new RandomStream(seed);
  for (const parameter of model.parameters()) {
    scope(() => {
      const noise = stream.normal(parameter.shape, parameter.dtype as 'float64');
      parameter.write(add(parameter, affineScalar(noise, size)).dataSync());
    });
  }
  stream.dispose();
  return model;
}
const small = { layers: 2, hidden: 5, dtype: 'float64' } as const;
const student = (options: Partial<ParallelWaveNetOptions> = {}) =>
  moved(new ParallelWaveNet({ length: 2, stacks: [1, 2], ...small, ...options }), 4);
const { floor } = Math;
const stream = new RandomStream(23);
afterAll(() => stream.dispose());

/** The points of a grid on [−reach, reach]², and the area of a cell. */
function grid(side: number, reach: number) {
  const at = (i: number) => (2 * reach * i) / (side - 1) - reach;
  const values = Float64Array.from({ length: 2 * side * side }, (_, i) =>
    at(i % 2 === 0 ? floor(i / 2 / side) : floor(i / 2) % side),
  );
  return { x: tensorOfArray(values, [side * side, 2]), cell: ((2 * reach) / (side - 1)) ** 2 };
}
/** log p of the teacher as a continuous density, [N]. */
const teacherLogProb = (teacher: WaveNet, x: Tensor) =>
  scope(() => {
    const flat = tensorOfArray(x.dataSync(), [x.size, 1]);
    const each = momentLogDensity(teacher, teacher.parametersOf(x, null), flat).dataSync();
    return Array.from({ length: x.rows }, (_, n) => each[2 * n]! + each[2 * n + 1]!);
  });

describe('ParallelWaveNet', () => {
  it.each(['logistic', 'normal'] as const)('has a density that integrates to 1, %s', (base) => {
    const net = student({ base, initialLogScale: -0.2 });
    const { x, cell } = grid(221, base === 'logistic' ? 60 : 15);
    const p = scope(() => net.logProbOfRows(x, null).dataSync());
    const total = Array.from(p).reduce((sum, value) => sum + Math.exp(value) * cell, 0);
    // What the tails of the logistic distribution have beyond 60.
    expect(Math.abs(total - 1)).toBeLessThan(1e-6);
    net.dispose();
  });

  it('finds the noise of its samples again, and their density by it', () => {
    const given = { local: { channels: 1, hop: 4 }, global: 1 };
    const net = student({ length: 24, stacks: [1, 1, 2], ...given });
    const context = tensorOfArray(
      Float64Array.from({ length: 5 * 7 }, (_, i) => Math.sin(i)),
      [5, 7],
    );
    scope(() => {
      const z = net.drawNoise(5, 24, stream);
      const { x, mean, logScale } = net.pass(z, context);
      const again = net.invert(x, context).dataSync();
      const noise = z.dataSync();
      for (let i = 0; i < noise.length; i++) {
        expect(Math.abs(again[i]! - noise[i]!)).toBeLessThan(
          1e-9 * Math.max(1, Math.abs(noise[i]!)),
        );
        const rebuilt = noise[i]! * Math.exp(logScale.dataSync()[i]!) + mean.dataSync()[i]!;
        expect(Math.abs(rebuilt - x.dataSync()[i]!)).toBeLessThan(1e-9 * (1 + Math.abs(rebuilt)));
      }
    });
    net.dispose();
  });

  it('draws long sequences window by window as in one', () => {
    const length = 66000;
    const given = { local: { channels: 1, hop: 100 }, global: 1 };
    // Weights so large that the first moment that counts is felt.
    const sizes = { ...small, length: 100, stacks: [1, 2], hidden: 3, seed: 1 };
    const net = moved(new ParallelWaveNet({ ...sizes, ...given, initialLogScale: -0.2 }), 3, 0.5);
    // One stack of two layers sees four moments, two see seven.
    expect(net.receptiveField).toBe(4 + 7);
    const context = Float64Array.from({ length: 661 }, (_, i) => Math.sin(i));
    const drawn = net.sample(1, { length, seed: 7, context });
    const whole = scope(() => {
      const own = new RandomStream(7);
      const { x } = net.pass(net.drawNoise(1, length, own), tensorOfArray(context, [1, 661]));
      own.dispose();
      return x;
    });
    expect(drawn.dataSync()).toEqual(whole.dataSync());
    for (const one of [drawn, whole, net]) one.dispose();
  });

  it('is autoregressive in the noise: mean and scale of t see nothing from t on', () => {
    const net = student({ length: 9 });
    scope(() => {
      const z = net.drawNoise(1, 9, stream).dataSync() as Float64Array;
      const run = (values: Float64Array) => {
        const { mean, logScale } = net.pass(tensorOfArray(values, [1, 9]), null);
        return [mean.dataSync(), logScale.dataSync()] as const;
      };
      const before = run(z);
      for (let t = 0; t < 9; t++) {
        const touched = z.slice();
        touched[t]! += 1;
        const after = run(touched);
        for (const [k, values] of after.entries()) {
          expect(Array.from(values.slice(0, t + 1))).toEqual(
            Array.from(before[k]!.slice(0, t + 1)),
          );
          if (t < 8) expect(values[t + 1]).not.toBe(before[k]![t + 1]);
        }
      }
    });
    net.dispose();
  });

  it.each([
    ['normal', 'normal'],
    ['normal', 'logistic'],
    ['logistic', 'logistic'],
  ] as const)('estimates the divergence from a %s teacher, %s noise', (kind, base) => {
    const likelihood =
      kind === 'logistic' ? ({ kind, components: 2 } as const) : ({ kind } as const);
    const teacher = moved(
      new WaveNet({ length: 2, stacks: 1, likelihood, seed: 9, ...small }),
      8,
      0.3,
    );
    const net = student({ base, initialLogScale: -0.2 });
    const { x, cell } = grid(161, base === 'logistic' ? 40 : 12);
    const q = scope(() => Array.from(net.logProbOfRows(x, null).dataSync()));
    const p = teacherLogProb(teacher, x);
    const exact = q.reduce((sum, log, i) => sum + Math.exp(log) * (log - p[i]!) * cell, 0);
    const loss = distillation(teacher, { power: 0, regularization: 0, draws: 4 });
    const rows = tensorOfArray(new Float64Array(2 * 4000), [4000, 2]);
    const batch: Batch = { model: net, x: rows, context: null, stream };
    // Sixteen estimates of the divergence a moment: their mean within five of its standard errors.
    const estimates = Array.from({ length: 16 }, () => scope(() => 2 * loss(batch).item()));
    const mean = estimates.reduce((a, b) => a + b) / 16;
    const variance = estimates.reduce((sum, e) => sum + (e - mean) ** 2, 0) / 15;
    const error = Math.sqrt(variance / 16);
    expect(exact).toBeGreaterThan(0.05);
    expect(error).toBeLessThan(0.03 * exact);
    expect(Math.abs(mean - exact)).toBeLessThan(5 * error);
    teacher.dispose();
    net.dispose();
  });

  it('gives gradients of the whole loss that agree with differences', () => {
    const length = 12;
    const teacher = moved(
      new WaveNet({ length, stacks: 3, likelihood: { kind: 'logistic', components: 2 }, ...small }),
      8,
    );
    const net = student({ length });
    const start = stream.state.dataSync();
    const rows = tensorOfArray(
      Float64Array.from({ length: 2 * length }, (_, i) => Math.sin(i)),
      [2, length],
    );
    const loss = distillation(teacher, { draws: 2, power: 1, stft: { window: 6, hop: 2 } });
    // The same noise each time.
    const run = () => {
      stream.state.write(start);
      return loss({ model: net, x: rows, context: null, stream });
    };
    const parameters = net.parameters();
    scope(() => {
      const { gradients } = valueAndGradient(run, parameters);
      for (const [k, parameter] of parameters.entries()) {
        const values = parameter.dataSync() as Float64Array;
        const at = (7 * k) % values.length;
        const step = 1e-5;
        const [up, down] = [1, -1].map((sign) => {
          const shifted = values.slice();
          shifted[at]! += sign * step;
          parameter.write(shifted);
          return scope(() => run().item());
        });
        parameter.write(values);
        const difference = (up! - down!) / (2 * step);
        const gradient = gradients[k]?.dataSync()[at] ?? 0;
        expect(Math.abs(gradient - difference)).toBeLessThan(1e-7 * (1 + Math.abs(difference)));
      }
    });
    teacher.dispose();
    net.dispose();
  });

  it('learns from a teacher by recorded steps, and goes on after loading', async () => {
    const length = 16;
    const teacher = moved(
      new WaveNet({ length, layers: 2, stacks: 1, hidden: 8, likelihood: { kind: 'normal' } }),
      8,
    );
    const net = new ParallelWaveNet({
      ...{ length, layers: 2, stacks: [1, 1], hidden: 8, base: 'normal', initialLogScale: 0 },
    });
    const rows = teacher.sample(32, { seed: 1 });
    const exact = distillation(teacher, { power: 0, regularization: 0 });
    const divergence = () =>
      scope(() => exact({ model: net, x: rows, context: null, stream }).item());
    const before = divergence();
    const { compiled } = await fit(net, rows, {
      epochs: 60,
      optimizer: adam({ lr: 0.01 }),
      loss: distillation(teacher, { power: 0.1 }),
    });
    expect(compiled).toBe(true);
    expect(divergence()).toBeLessThan(0.2 * before);
    const path = join(mkdtempSync(join(tmpdir(), 'wave-')), 'student.safetensors');
    await net.save(path);
    const again = await ParallelWaveNet.load(path);
    expect(Array.from(again.sample(2, { seed: 5, length: 40 }).dataSync())).toEqual(
      Array.from(net.sample(2, { seed: 5, length: 40 }).dataSync()),
    );
    for (const model of [teacher, net, again]) model.dispose();
  });

  it('says what does not fit', () => {
    const net = student();
    const levels = new WaveNet({ length: 2, layers: 1, stacks: 1 });
    expect(() => distillation(levels)).toThrow(/teacher: expected a logistic or normal likelihood/);
    const x = tensorOfArray(new Float64Array(4), [2, 2]);
    expect(() => valueAndGradient(() => net.logProbOfRows(x, null), net.parameters())).toThrow(
      /gradient of log p: expected none/,
    );
    for (const model of [net, levels]) model.dispose();
  });
});

describe('stftPower', () => {
  it('is the squared magnitude of the windowed Fourier sums', () => {
    const [samples, length, window, hop] = [2, 23, 8, 3];
    const x = Float64Array.from({ length: samples * length }, (_, i) => Math.sin(1.7 * i) + i / 50);
    const actual = scope(() =>
      stftPower(tensorOfArray(x, [samples, length]), { window, hop }).dataSync(),
    );
    const frames = 1 + floor((length - window) / hop);
    expect(actual.length).toBe(samples * frames * 5);
    for (let n = 0; n < samples; n++)
      for (let f = 0; f < frames; f++)
        for (let k = 0; k < 5; k++) {
          let [re, im] = [0, 0];
          for (let t = 0; t < window; t++) {
            const value = x[n * length + f * hop + t]! * Math.sin((Math.PI * t) / window) ** 2;
            re += value * Math.cos((2 * Math.PI * k * t) / window);
            im -= value * Math.sin((2 * Math.PI * k * t) / window);
          }
          expect(Math.abs(actual[(n * frames + f) * 5 + k]! - re * re - im * im)).toBeLessThan(
            1e-12,
          );
        }
  });

  it('says what does not fit', () => {
    const x = tensorOfArray(new Float64Array(4), [1, 4]);
    expect(() => stftPower(x, { window: 8 })).toThrow(/signals of 8 samples or more, got 4/);
    expect(() => stftPower(x, { window: 3 })).toThrow(/window: expected an even number ≥ 2, got 3/);
  });
});

/** Flows as a user holds them: densities, sampling, files, inputs, errors. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Affine, Chain, FlowError, iaf, Logit, made, maf, memory, scope, tensor } from '../../lib';
import { BatchNorm } from '../../lib/bijections';
import {
  DiagonalNormal,
  GaussianMixture,
  StandardLogistic,
  StandardNormal,
  Uniform,
} from '../../lib/distributions';
import { Flow } from '../../lib/flows';
import { RandomStream } from '../../lib/ops';
import { randomize } from '../bijections/cases';
import { expectClose, fixture } from '../reference/close';
import { integrate1d, integrate2d } from '../reference/quadrature';

const folder = mkdtempSync(join(tmpdir(), 'flow-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A flow with random parameters; the scale is moderate, so that quadrature on a box sees all of the mass. */
function randomFlow(features: number, kind: 'maf' | 'iaf', contextFeatures = 0): Flow {
  const options = {
    features,
    hidden: [7],
    transforms: 2,
    activation: 'tanh',
    dtype: 'float64',
    contextFeatures,
    seed: 2,
  } as const;
  const flow = kind === 'maf' ? maf({ ...options, batchNorm: true }) : iaf(options);
  randomize(flow, 12, 0.25);
  for (const [, module] of flow.modules()) {
    if (module instanceof BatchNorm) module.variance.write(new Float64Array(features).fill(1.7));
  }
  return flow;
}

describe('density', () => {
  it.each(['maf', 'iaf'] as const)('%s integrates to 1 in one dimension', (kind) => {
    const flow = randomFlow(1, kind);
    const p = (x: Float64Array) => scope(() => flow.logProb(x).dataSync().map(Math.exp));
    expect(integrate1d(p, -30, 30)).toBeCloseTo(1, 8);
    flow.dispose();
  });

  it.each(['maf', 'iaf'] as const)(
    '%s integrates to 1 in two dimensions, whatever the context',
    (kind) => {
      const flow = randomFlow(2, kind, 1);
      for (const c of [-1.5, 2]) {
        const p = (x: Float64Array) =>
          scope(() =>
            flow
              .logProb(x, [[c]])
              .dataSync()
              .map(Math.exp),
          );
        expect(integrate2d(p, -14, 14)).toBeCloseTo(1, 5);
      }
      flow.dispose();
    },
  );

  it('depends on the context in every dimension', () => {
    const flow = randomFlow(1, 'maf', 2);
    const values = [
      [0, 0],
      [1, 0],
      [0, 1],
    ].map((context) => scope(() => flow.logProb([[0.3]], [context]).item()));
    expect(new Set(values).size).toBe(3);
    flow.dispose();
  });

  it('with preprocessing is that of the data: the model space differs by the log-det', () => {
    const plain = maf({
      features: 3,
      hidden: [8],
      transforms: 2,
      activation: 'tanh',
      dtype: 'float64',
    });
    const preprocessing = new Chain([Affine.uniform(3, 1 / 256, 0, 'float64'), new Logit(3, 0.05)]);
    const flow = new Flow({
      base: plain.base,
      bijection: plain.bijection,
      preprocessing,
      dequantization: { levels: 256 },
    });
    randomize(flow, 3, 0.3);
    const x = [[10.5, 128.25, 250.125]];
    scope(() => {
      const inData = flow.logProb(x).item();
      const inModel = flow.logProb(x, null, { space: 'model' }).item();
      // Each pixel by the formula, in its own words: y = logit(0.05 + 0.9·x/256).
      const logDet = (x[0] as number[]).reduce((sum, v) => {
        const p = 0.05 + (0.9 * v) / 256;
        return sum + Math.log(0.9 / 256) - Math.log(p * (1 - p));
      }, 0);
      expect(inData - inModel).toBeCloseTo(logDet, 10);
      expect(flow.bitsPerDim(inData)).toBeCloseTo(-inData / (3 * Math.log(2)), 12);
      const { y, logDet: whole } = flow.forward(x);
      const z = y.toArray();
      const base = z.reduce((sum, v) => sum - 0.5 * v * v - 0.5 * Math.log(2 * Math.PI), 0);
      expect(inData).toBeCloseTo(base + whole.item(), 10);
      expectClose(flow.inverse(y).x.dataSync(), x.flat(), 1e5, 'inverse');
    });
    flow.dispose();
  });

  it('of integers gets noise by the seed; floats are taken as they are', () => {
    const flow = maf({
      features: 2,
      hidden: [4],
      transforms: 1,
      dequantization: { levels: 4 },
      preprocessing: new Chain([Affine.uniform(2, 1 / 4, 0), new Logit(2, 0.01)]),
    });
    const integers = Uint8Array.of(0, 3, 1, 2);
    scope(() => {
      const a = flow.logProb(integers).dataSync();
      expect(flow.logProb(integers).dataSync()).toEqual(a);
      expect(flow.logProb(integers, null, { seed: 1 }).dataSync()).not.toEqual(a);
      expect(flow.logProb(Float32Array.from(integers, (v) => v + 0.5)).dataSync()).not.toEqual(a);
      expect([...a].every(Number.isFinite)).toBe(true);
    });
    flow.dispose();
  });
});

describe('sampling', () => {
  it('follows the density: means of tanh features against quadrature', () => {
    const flow = randomFlow(1, 'maf');
    const n = 200_000;
    const feature = (x: number) => Math.tanh(x - 0.3);
    const expected = integrate1d(
      (x) =>
        scope(() =>
          flow
            .logProb(x)
            .dataSync()
            .map((v, i) => feature(x[i] as number) * Math.exp(v)),
        ),
      -12,
      12,
    );
    const values = scope(() => flow.sample(n, { seed: 5 }).toArray().map(feature));
    const mean = values.reduce((a, b) => a + b, 0) / n;
    const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / n);
    // Five standard errors, with a fixed seed.
    expect(Math.abs(mean - expected)).toBeLessThan((5 * deviation) / Math.sqrt(n));
    flow.dispose();
  });

  it('is the same for the same seed, and another without one', () => {
    const flow = randomFlow(2, 'maf');
    scope(() => {
      const first = flow.sample(5, { seed: 9 }).dataSync();
      expect(flow.sample(5, { seed: 9 }).dataSync()).toEqual(first);
      expect(flow.sample(5, { seed: 10 }).dataSync()).not.toEqual(first);
      expect(flow.sample(5).dataSync()).not.toEqual(flow.sample(5).dataSync());
      // Rows do not depend on how many are drawn: chunks and small samples agree.
      expect(flow.sample(5000, { seed: 9 }).dataSync().slice(0, 10)).toEqual(first);
    });
    flow.dispose();
  });

  it('at temperature 0 gives the image of the centre', () => {
    const flow = randomFlow(2, 'maf');
    scope(() => {
      const x = flow.sample(3, { temperature: 0 }).dataSync();
      const centre = flow.inverse([[0, 0]]).x.dataSync();
      expectClose(x, [...centre, ...centre, ...centre], 4, 'samples');
    });
    flow.dispose();
  });

  it('takes one context for all samples or one for each', () => {
    const flow = randomFlow(2, 'maf', 1);
    scope(() => {
      const one = flow.sample(2, { seed: 1, context: [[0.5]] }).dataSync();
      const each = flow.sample(2, { seed: 1, context: [[0.5], [-2]] }).dataSync();
      expect(each.slice(0, 2)).toEqual(one.slice(0, 2));
      expect(each.slice(2)).not.toEqual(one.slice(2));
    });
    flow.dispose();
  });

  it('gives integers of dequantised data', () => {
    const flow = maf({
      features: 2,
      hidden: [4],
      transforms: 1,
      dequantization: { levels: 16 },
      preprocessing: new Chain([Affine.uniform(2, 1 / 16, 0), new Logit(2, 0.05)]),
    });
    const x = scope(() => flow.sample(500, { seed: 1 }).dataSync());
    expect([...x].every((v) => Number.isInteger(v) && v >= 0 && v <= 15)).toBe(true);
    expect(new Set(x).size).toBe(16);
    flow.dispose();
  });
});

describe('base distributions', () => {
  const dtype = 'float64';
  const one = [
    new StandardNormal(1, dtype),
    new StandardLogistic(1, dtype),
    new DiagonalNormal(1, dtype),
    new GaussianMixture(1, 3, dtype, 4),
  ];
  it.each(one)('$constructor.name integrates to 1 and samples itself', (base) => {
    randomize(base, 31);
    const p = (x: Float64Array) =>
      scope(() =>
        base
          .logProb(tensor(x, { shape: [x.length, 1] }))
          .dataSync()
          .map(Math.exp),
      );
    expect(integrate1d(p, -60, 60)).toBeCloseTo(1, 8);
    const stream = new RandomStream(3);
    const n = 100_000;
    const values = scope(() => base.sample(n, stream).toArray());
    for (const level of [-1, 0, 1.2]) {
      const expected = integrate1d(p, -60, level);
      const share = values.reduce((count, v) => count + (v < level ? 1 : 0), 0) / n;
      // Five binomial standard errors.
      expect(Math.abs(share - expected)).toBeLessThan(
        5 * Math.sqrt((expected * (1 - expected)) / n),
      );
    }
    stream.dispose();
    base.dispose();
  });

  it('Uniform is its box', () => {
    const base = new Uniform(2, -1, 3);
    scope(() => {
      const logProb = base
        .logProb(
          tensor([
            [0, 0],
            [-1, 2.9],
            [3, 0],
            [0, Number.NaN],
          ]),
        )
        .dataSync();
      expectClose(
        logProb,
        [-2 * Math.log(4), -2 * Math.log(4), -Infinity, -Infinity],
        2,
        'logProb',
      );
      const stream = new RandomStream(1);
      const x = base.sample(1000, stream).dataSync();
      stream.dispose();
      expect(Math.min(...x)).toBeGreaterThanOrEqual(-1);
      expect(Math.min(...x)).toBeLessThan(-0.98);
      expect(Math.max(...x)).toBeLessThan(3);
      expect(Math.max(...x)).toBeGreaterThan(2.98);
    });
  });
});

describe('inputs', () => {
  const flow = maf({ features: 2, hidden: [4], transforms: 1 });
  randomize(flow, 4, 0.5);
  const rows = [
    [0.5, -1],
    [2, 0.25],
  ];
  it('takes rows in every form that users have', () => {
    scope(() => {
      const expected = flow.logProb(rows).dataSync();
      const flat = rows.flat();
      for (const form of [
        flat,
        Float32Array.from(flat),
        Float64Array.from(flat),
        rows.map((r) => Float32Array.from(r)),
        tensor(rows),
        { data: Float32Array.from(flat), rows: 2, cols: 2 },
      ]) {
        expect(flow.logProb(form).dataSync()).toEqual(expected);
      }
    });
  });

  it.each([
    ['a wrong width', [[1, 2, 3]], /rows of 2 numbers, got 3 in row 0/],
    ['a ragged row', [[1, 2], [3]], /got 1 in row 1/],
    ['an odd number of values', [1, 2, 3], /got an array of 3 numbers/],
    ['text', [['1', 2]], /string in row 0, column 0/],
    ['nothing', null, /expected a tensor, an array of rows or a typed array/],
  ])('refuses %s', (_what, input, message) => {
    expect(() => flow.logProb(input as never)).toThrow(FlowError);
    expect(() => flow.logProb(input as never)).toThrow(message);
  });

  it('refuses a context that it does not take', () => {
    expect(() => flow.logProb(rows, [[1], [2]])).toThrow(/build the model with contextFeatures/);
    const conditional = maf({ features: 2, hidden: [4], contextFeatures: 1 });
    expect(() => conditional.logProb(rows)).toThrow(/pass a context/);
    expect(() => conditional.logProb(rows, [[1], [2], [3]])).toThrow(/1 or 2 rows, got 3/);
    expect(() => conditional.sample(-1, { context: [[1]] })).toThrow(/whole number ≥ 0/);
    conditional.dispose();
  });

  it('works on no rows', () => {
    scope(() => {
      expect(flow.logProb(new Float32Array(0)).dataSync().length).toBe(0);
      expect(flow.sample(0).shape).toEqual([0, 2]);
    });
  });
});

describe('files', () => {
  it('give the same flow again', async () => {
    const before = memory().buffers;
    const flow = randomFlow(3, 'maf', 2);
    const path = join(folder, 'flow.safetensors');
    await flow.save(path, { metadata: { note: 'mine' } });
    const again = await Flow.load(path);
    const x = fixture(4)(15);
    const context = fixture(5)(10);
    scope(() => {
      const [a, b] = [flow, again].map((f) => f.logProb(x, context).dataSync());
      expect(b).toEqual(a);
      expect(again.sample(4, { seed: 2, context: [[1, 2]] }).dataSync()).toEqual(
        flow.sample(4, { seed: 2, context: [[1, 2]] }).dataSync(),
      );
    });
    flow.dispose();
    again.dispose();
    expect(memory().buffers).toBe(before);
  });

  it('that ask for more than they hold are refused before memory is taken', async () => {
    const flow = made({ features: 3, hidden: [4] });
    const path = join(folder, 'hostile.safetensors');
    await flow.save(path);
    flow.dispose();
    const bytes = readFileSync(path).toString('latin1');
    // "hidden":[4] → "hidden":[9] changes the config only, which the digest and the shapes both notice.
    const changed = bytes.replace('hidden\\":[4]', 'hidden\\":[9]');
    expect(changed).not.toBe(bytes);
    writeFileSync(path, Buffer.from(changed, 'latin1'));
    await expect(Flow.load(path)).rejects.toMatchObject({ code: 'FORMAT' });
  });
});

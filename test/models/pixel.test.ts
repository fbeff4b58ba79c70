import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { typedArray } from '../../lib/dtype';
import { PixelCnn, type PixelModel, PixelRnn } from '../../lib/models';
import { native } from '../../lib/native';
import { sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { fixture } from '../reference/close';
import { derivative } from '../reference/differences';
import { pixelCases as cases, cnn, contextOf } from './pixelCases';

/** Levels that differ from pixel to pixel. */
function levelsOf(model: PixelModel, rows: number, seed: number) {
  const draw = fixture(seed)(rows * model.features);
  const { levels } = model.likelihood;
  const values = typedArray(model.dtype, draw.length);
  draw.forEach((value, i) => {
    values[i] = Math.min(levels - 1, Math.floor(((value + 2) / 4) * levels));
  });
  return values;
}

describe.each(cases.map((test) => [test.name, test] as const))('%s', (_, test) => {
  const image = { height: 5, width: 4, channels: test.channels };

  it('makes of each pixel what depends on those before it alone', () => {
    scope(() => {
      using model = test.build(image, 'float64');
      const { features } = model;
      const context = contextOf(model, 1);
      const { levels, groups, kind } = model.likelihood;
      const run = (x: ReturnType<typeof levelsOf>) =>
        model.predict(tensorOfArray(x, [1, features]), context).dataSync();
      // A mixture describes a pixel, the others a dimension.
      const ofPixel = kind === 'logistic' ? test.channels : 1;
      const outputs = features / ofPixel;
      const rowOf = (output: number) =>
        Math.floor((output * ofPixel) / test.channels / image.width);
      expect(groups).toBe(kind === 'logistic' ? 1 : test.channels);
      // A ReLU can hide an input from an likelihood: in three images it is seen in one.
      const seen = new Set<string>();
      for (const seed of [11, 12, 13]) {
        const values = levelsOf(model, 1, seed);
        const before = run(values);
        const size = before.length / outputs;
        for (let i = 0; i < features; i++) {
          const moved = values.slice();
          moved[i] = ((values[i] as number) + 1) % levels;
          const after = run(moved);
          const own = Math.floor(i / ofPixel);
          for (let k = 0; k < outputs; k++) {
            const a = before.slice(k * size, (k + 1) * size);
            const b = after.slice(k * size, (k + 1) * size);
            const same = a.every((value, j) => Object.is(value, b[j]));
            if (k <= own) expect(same, `input ${i}, output ${k}`).toBe(true);
            else if (!same) seen.add(`${own} ${k}`);
          }
        }
      }
      for (let i = 0; i < outputs - 1; i++) {
        expect(seen.has(`${i} ${i + 1}`) || rowOf(i) !== rowOf(i + 1), `${i} by the next`).toBe(
          true,
        );
        for (let k = i + 1; k < outputs; k++) {
          if (test.sees(rowOf(i), rowOf(k)))
            expect(seen.has(`${i} ${k}`), `${i} by ${k}`).toBe(true);
        }
      }
    });
  });

  it.each(['float32', 'float64'] as const)(
    '%s: draws with caches are those of whole passes, bit for bit',
    (dtype) => {
      scope(() => {
        using model = test.build(image, dtype);
        const context = contextOf(model, 5);
        const naive = model.sample(5, { seed: 6, context, method: 'naive' }).dataSync();
        expect(new Set(naive).size).toBeGreaterThan(1);
        const threads = native.threads();
        try {
          for (const count of [1, 3]) {
            native.setThreads(count);
            expect(model.sample(5, { seed: 6, context }).dataSync()).toEqual(naive);
          }
        } finally {
          native.setThreads(threads);
        }
      });
    },
  );

  it('has the gradient of its log-probability', () => {
    scope(() => {
      using model = test.build({ height: 3, width: 3, channels: test.channels }, 'float64');
      const context = contextOf(model, 2);
      const x = tensorOfArray(levelsOf(model, 2, 12), [2, model.features]);
      const parameters = model.parameters();
      const { gradients } = valueAndGradient(
        () => sum(model.logProbOfRows(x, context)),
        parameters,
      );
      const start = parameters.map((tensor) => tensor.dataSync());
      const directions = start.map((values, k) => fixture(k)(values.length));
      let slope = 0;
      gradients.forEach((gradient, k) => {
        gradient?.dataSync().forEach((g, i) => {
          slope += g * (directions[k]![i] as number);
        });
      });
      const along = derivative((t) => {
        parameters.forEach((tensor, k) => {
          tensor.write(
            start[k]!.map((value, i) => value + t * (directions[k]![i] as number)) as Float64Array,
          );
        });
        return scope(() => sum(model.logProbOfRows(x, context)).item());
      }, 1e-3);
      // ReLU has kinks, which a step of 1e-3 seldom crosses.
      expect(slope / along.value).toBeCloseTo(1, 5);
    });
  });
});

describe('log-probabilities of all images', () => {
  /** Σ p over all images of `features` numbers of `levels` levels. */
  function total(model: PixelModel): number {
    const { features } = model;
    const { levels } = model.likelihood;
    const count = levels ** features;
    const x = Float64Array.from({ length: count * features }, (_, k) => {
      return Math.floor(Math.floor(k / features) / levels ** (k % features)) % levels;
    });
    return scope(() => {
      const one = contextOf(model, 1);
      const logProb = model.logProb(tensorOfArray(x, [count, features]), one).dataSync();
      return Array.from(logProb).reduce((sumOf, value) => sumOf + Math.exp(value), 0);
    });
  }

  it.each(cases.map((test) => [test.name, test] as const))('%s: sum to one', (_, test) => {
    const image = test.channels === 1 ? { height: 2, width: 3 } : { height: 2, width: 1 };
    using model = test.build({ ...image, channels: test.channels }, 'float64');
    // 16 levels of 6 numbers are too many.
    if (model.likelihood.levels ** model.features > 20000) return;
    expect(total(model)).toBeCloseTo(1, 12);
  });

  it.each(['cached', 'naive'] as const)(
    'weights that are not finite draw nothing: %s',
    (method) => {
      const image = { height: 2, width: 2, channels: 1 };
      for (const likelihood of ['bernoulli', 'categorical', 'logistic'] as const) {
        using model = new PixelCnn({ image, hidden: 2, layers: 1, likelihood });
        const weight = [...model.namedParameters()].find(([name]) => name === 'head.1.bias')?.[1];
        weight?.write(weight.dataSync().map(() => Number.NaN) as Float32Array);
        expect(() => model.sample(2, { method, seed: 1 })).toThrow(
          /what the model says: expected distributions, got NaN or infinite parameters in 2 of 2 rows/,
        );
      }
    },
  );

  it('mixture: sum to one', () => {
    const image = { height: 2, width: 1, channels: 3 };
    using model = new PixelCnn({
      ...cnn,
      image,
      hidden: 4,
      likelihood: 'logistic',
      levels: 4,
      components: 2,
      dtype: 'float64',
    });
    expect(total(model)).toBeCloseTo(1, 12);
  });
});

describe('files', () => {
  it.each([cases[3]!, cases[7]!])('$name: as saved', async ({ build }) => {
    const folder = mkdtempSync(join(tmpdir(), 'pixel-'));
    try {
      using model = build({ height: 4, width: 4, channels: 1 }, 'float32');
      const path = join(folder, 'model.safetensors');
      await model.save(path);
      const Kind = model.constructor as typeof PixelCnn | typeof PixelRnn;
      using again = await Kind.load(path);
      scope(() => {
        const context = contextOf(model, 2);
        expect(again.sample(2, { seed: 1, context }).dataSync()).toEqual(
          model.sample(2, { seed: 1, context }).dataSync(),
        );
      });
      const Other = Kind === PixelCnn ? PixelRnn : PixelCnn;
      await expect(Other.load(path)).rejects.toThrow(/expected a Pixel[CR]nn|expected a Pixel/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('errors', () => {
  const image = { height: 4, width: 4, channels: 3 };
  it.each([
    [
      () => new PixelCnn({ image, hidden: 4 }),
      /hidden: expected a multiple of the 3 colours, got 4/,
    ],
    [() => new PixelCnn({ image, hidden: 6, kernel: 4 }), /kernel: expected an odd number/],
    [
      () => new PixelCnn({ image, hidden: 6, contextFeatures: 2 }),
      /contextFeatures: expected 0 without gates, got 2/,
    ],
    [
      () => new PixelRnn({ image, hidden: 6, likelihood: 'bernoulli', levels: 4 }),
      /levels: expected 2 for bernoulli pixels, got 4/,
    ],
    [
      () => new PixelCnn({ image: { ...image, width: 0 }, hidden: 6 }),
      /image: expected .* got { height: 4, width: 0/,
    ],
    [
      () => new PixelCnn({ image, hidden: 6, likelihood: 'logistic', components: 0.5 }),
      /components: expected a whole number ≥ 1, got 0.5/,
    ],
  ])('%#', (build, says) => {
    expect(build).toThrow(says);
  });

  it('a sample has the temperature 1, by a method that there is', () => {
    using model = new PixelRnn({ image, hidden: 3, layers: 1, levels: 4 });
    expect(() => model.sample(1, { temperature: 0.5 })).toThrow(/temperature: expected 1, got 0.5/);
    expect(() => model.sample(1, { method: 'fast' as never })).toThrow(
      /method: expected cached or naive, got fast/,
    );
  });

  it('what options hold may change: the model does not', () => {
    const sides = { ...image };
    using model = new PixelCnn({ image: sides, hidden: 3, layers: 1, levels: 4 });
    const before = JSON.stringify(model.config());
    sides.height = 9;
    (model.config()['image'] as { width: number }).width = 8;
    expect(JSON.stringify(model.config())).toBe(before);
  });

  it('numbers that are no bits have no probability', () => {
    scope(() => {
      const image = { height: 1, width: 3, channels: 1 };
      using model = new PixelCnn({ image, hidden: 2, layers: 1, likelihood: 'bernoulli' });
      const { [0]: bits, ...others } = model
        .logProb([
          [0, 1, 0],
          [0, 0.5, 0],
          [2, 1, 0],
          [-1, 1, 0],
          [0, 1, Number.NaN],
        ])
        .toArray();
      expect(bits).toBeLessThan(0);
      expect(bits).toBeGreaterThan(-10);
      expect(Object.values(others)).toEqual(Array(4).fill(-Infinity));
    });
  });

  it('levels that are none have no probability', () => {
    scope(() => {
      using model = new PixelCnn({
        image: { height: 2, width: 2, channels: 1 },
        hidden: 2,
        layers: 1,
        levels: 3,
      });
      expect(
        model
          .logProb([
            [0, 1, 2, 1],
            [0, 1, 3, 1],
            [0.5, 1, 2, 1],
          ])
          .toArray()
          .slice(1),
      ).toEqual([-Infinity, -Infinity]);
    });
  });
});

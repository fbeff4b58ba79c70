import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { native } from '../../lib/native';
import {
  build,
  type Conditioner,
  Conv2d,
  ConvNet,
  type ConvNetOptions,
  ResidualConvNet,
} from '../../lib/nn';
import { conv2d, mul, RandomStream, rowsView, sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { fixture } from '../reference/close';

const draw = fixture(5);
const float64 = (...shape: number[]) =>
  tensorOfArray(draw(shape.reduce((size, extent) => size * extent, 1)), shape);

const options: ConvNetOptions = {
  image: { height: 3, width: 4 },
  inputs: 2,
  outputs: 3,
  hidden: 5,
  seed: 3,
  dtype: 'float64',
};

function withLayer(
  extra: Partial<ConstructorParameters<typeof Conv2d>[0]>,
  body: (layer: Conv2d) => void,
) {
  const before = native.memory()[0];
  const stream = new RandomStream(9);
  const layer = new Conv2d(
    { height: 3, width: 4, kernel: [3, 3], inputs: 2, outputs: 3, dtype: 'float64', ...extra },
    stream,
  );
  scope(() => body(layer));
  layer.dispose();
  stream.dispose();
  expect(native.memory()[0]).toBe(before);
}

describe('Conv2d', () => {
  it('starts within 1/√(taps·inputs), of live taps where some are dead', () => {
    const largest = (tensor: Tensor) => Math.max(...tensor.dataSync().map(Math.abs));
    withLayer({}, ({ weight, bias }) => {
      expect(largest(weight)).toBeLessThanOrEqual(1 / Math.sqrt(18));
      expect(largest(weight)).toBeGreaterThan(0.8 / Math.sqrt(18));
      expect(largest(bias!)).toBeLessThanOrEqual(1 / Math.sqrt(18));
    });
    withLayer({ taps: [0, 1] }, ({ weight }) => {
      expect(largest(weight)).toBeGreaterThan(1 / Math.sqrt(18));
      expect(largest(weight)).toBeLessThanOrEqual(1 / Math.sqrt(4));
    });
  });

  it('starts at zero, also with a weight norm, and its gain or weight can leave it', () => {
    for (const weightNorm of [false, true]) {
      withLayer({ zeroInitialized: true, weightNorm }, (layer) => {
        const x = float64(12, 2);
        const run = () => layer.apply(x);
        expect(
          run()
            .dataSync()
            .every((value) => value === 0),
        ).toBe(true);
        const leaf = weightNorm ? layer.gain! : layer.weight;
        const { gradients } = valueAndGradient(() => sum(mul(run(), float64(12, 3))), [leaf]);
        expect(gradients[0]!.dataSync().every((value) => value !== 0)).toBe(true);
      });
    }
  });

  it('a weight norm changes nothing at the start; only directions count, and the gain is the length', () => {
    withLayer({ weightNorm: true }, (layer) => {
      const weight = layer.weight.dataSync();
      const normed = () => layer.effective().weight.dataSync();
      normed().forEach((value, i) => {
        expect(Math.abs(value - weight[i]!)).toBeLessThan(1e-15);
      });
      layer.weight.write((weight as Float64Array).map((value) => 7 * value));
      layer.gain!.write(Float64Array.of(1, 2, -3));
      [1, 2, 3].forEach((length, o) => {
        const row = normed().subarray(18 * o, 18 * (o + 1));
        expect(Math.hypot(...row)).toBeCloseTo(length, 14);
      });
    });
  });

  it("the output's scale multiplies weight and bias by exp(3·logScale)", () => {
    withLayer({ outputScale: true }, (layer) => {
      const x = float64(12, 2);
      const before = layer.apply(x).dataSync();
      layer.logScale!.write(Float64Array.of(0, 0.5, -1));
      layer
        .apply(x)
        .dataSync()
        .forEach((value, i) => {
          const factor = [1, Math.exp(1.5), Math.exp(-3)][i % 3]!;
          expect(Math.abs(value / (factor * before[i]!) - 1)).toBeLessThan(1e-13);
        });
    });
  });
});

describe('ResidualConvNet', () => {
  const sizes = { ...options, blocks: 2, hidden: 4 };

  it('starts at zero, and is built again from its config', () => {
    const network = new ResidualConvNet({ ...sizes, contextFeatures: 3 });
    const again = build(JSON.parse(JSON.stringify(network.config()))) as Conditioner;
    scope(() => {
      const [x, context] = [float64(24, 2), float64(2, 3)];
      expect(
        network
          .apply(x, context)
          .dataSync()
          .every((value) => value === 0),
      ).toBe(true);
      for (const [name, tensor] of network.namedParameters()) {
        const values = float64(tensor.size).dataSync();
        tensor.write(values);
        again.namedParameters().get(name)!.write(values);
      }
      const values = network.apply(x, context).dataSync();
      expect(values.every((value) => value !== 0)).toBe(true);
      expect(again.apply(x, context).dataSync()).toEqual(values);
    });
    network.dispose();
    again.dispose();
  });

  it('follows the moments of its batches in training, and uses them afterwards', () => {
    const network = new ResidualConvNet({ ...sizes, blocks: 1, zeroInitialized: false });
    scope(() => {
      const x = float64(24, 2);
      const once = network.train(false).apply(x).dataSync();
      const inTraining = network.train().apply(x).dataSync();
      for (let k = 0; k < 200; k++) scope(() => void network.apply(x));
      const later = network.train(false).apply(x).dataSync();
      expect(once).not.toEqual(inTraining);
      later.forEach((value, i) => {
        expect(Math.abs(value - inTraining[i]!)).toBeLessThan(1e-7);
      });
    });
    network.dispose();
  });

  it('error: a single row in training', () => {
    const network = new ResidualConvNet({ ...sizes, image: { height: 1, width: 1 } }).train();
    scope(() => {
      expect(() => network.apply(float64(1, 2))).toThrow(
        /\[BatchNormLayer\] x: expected at least 2 rows in training, got 1/,
      );
    });
    network.dispose();
  });
});

describe('ConvNet', () => {
  it('starts at zero, and not where it is told', () => {
    const outputs = (zeroInitialized: boolean) => {
      const network = new ConvNet({ ...options, zeroInitialized });
      const values = scope(() => network.apply(float64(24, 2)).dataSync());
      network.dispose();
      return values;
    };
    expect(outputs(true).every((value) => value === 0)).toBe(true);
    expect(outputs(false).every((value) => value !== 0)).toBe(true);
  });

  it('sees two pixels far, in its own image alone', () => {
    const network = new ConvNet({ ...options, zeroInitialized: false, activation: 'tanh' });
    scope(() => {
      const image = float64(24, 2);
      // The second image of 3 × 4: what changes where its corner (0, 0) does.
      const before = network.apply(image).dataSync();
      const values = Float64Array.from(image.dataSync());
      values[12 * 2] = values[12 * 2]! + 1;
      const after = network.apply(tensorOfArray(values, [24, 2])).dataSync();
      for (let pixel = 0; pixel < 24; pixel++) {
        const [row, column] = [Math.floor((pixel % 12) / 4), pixel % 4];
        const reached = pixel >= 12 && row <= 2 && column <= 2;
        const moved = [0, 1, 2].some((c) => before[3 * pixel + c] !== after[3 * pixel + c]);
        expect(moved, `pixel ${pixel}`).toBe(reached);
      }
    });
    network.dispose();
  });

  it('is built again from its config', () => {
    const network = new ConvNet({ ...options, contextFeatures: 2, zeroInitialized: false });
    const again = build(JSON.parse(JSON.stringify(network.config()))) as Conditioner;
    scope(() => {
      const [x, context] = [float64(24, 2), float64(2, 2)];
      expect([...again.namedParameters().keys()]).toEqual([...network.namedParameters().keys()]);
      expect(again.apply(x, context).dataSync()).toEqual(network.apply(x, context).dataSync());
    });
    network.dispose();
    again.dispose();
  });

  it('sets its actnorms from the first rows: what leaves both convolutions has mean 0 and deviation 1', () => {
    const before = native.memory()[0];
    const network = new ConvNet({ ...options, contextFeatures: 2, actNorm: true });
    const plain = new ConvNet({ ...options, contextFeatures: 2 });
    expect([network.initializes, plain.initializes]).toEqual([true, false]);
    scope(() => {
      const pixels = float64(7 * 12, 2);
      const context = float64(7, 2);
      // In pieces of uneven size: four images, then three.
      function* rows(visit: (x: Tensor, context: Tensor) => void) {
        for (const [first, last] of [
          [0, 4],
          [4, 7],
        ] as const) {
          visit(rowsView(pixels, 12 * first, 12 * last), rowsView(context, first, last));
          yield;
        }
      }
      expect([...network.initialize(rows as never)]).toHaveLength(4);
      expect(network.initializes).toBe(false);
      // Without activations: what the activations see. The term of the context comes behind the norm.
      const linear = { ...options.image, kernel: network.first.options.kernel } as const;
      const { weight, bias } = network.first.effective();
      const first = conv2d(pixels, weight, bias, linear);
      const second = network.middle.effective();
      const hidden = network.first.apply(pixels, network.contextLayer!.spread(context));
      const middle = { ...linear, kernel: network.middle.options.kernel };
      for (const made of [first, conv2d(hidden, second.weight, second.bias, middle)]) {
        const values = made.toArray();
        for (let c = 0; c < 5; c++) {
          const own = values.filter((_, i) => i % 5 === c);
          const mean = own.reduce((total, v) => total + v, 0) / own.length;
          const square = own.reduce((total, v) => total + (v - mean) ** 2, 0) / own.length;
          expect(mean).toBeCloseTo(0, 12);
          expect(square).toBeCloseTo(1, 12);
        }
      }
      // Once: other rows change nothing any more.
      const set = network.middle.logScale!.toArray();
      for (const _ of network.initialize(rows as never)) expect.unreachable();
      expect(network.middle.logScale!.toArray()).toEqual(set);
    });
    network.dispose();
    plain.dispose();
    expect(native.memory()[0]).toBe(before);
  });

  it('takes a view of some columns', () => {
    const network = new ConvNet({ ...options, zeroInitialized: false });
    scope(() => {
      const wide = float64(24, 5);
      const values = wide.dataSync();
      const narrow = Float64Array.from(
        { length: 48 },
        (_, i) => values[5 * (i >> 1) + 2 + (i & 1)]!,
      );
      const view = wide.view([24, 2], wide.offset + 2, wide.rowStride);
      const apart = tensorOfArray(narrow, [24, 2]);
      expect(network.apply(view).dataSync()).toEqual(network.apply(apart).dataSync());
    });
    network.dispose();
  });

  it.each([
    [
      'sizes',
      () => new ConvNet({ ...options, hidden: 0 }),
      /\[ConvNet\] hidden: expected a whole number ≥ 1, got 0/,
    ],
    [
      'image',
      () => new ConvNet({ ...options, image: { height: 2.5, width: 2 } }),
      /\[ConvNet\] image: expected .*, got { height: 2.5/,
    ],
  ])('error: %s', (_, run, says) => {
    expect(run).toThrow(says);
  });

  it('errors: pixels and context', () => {
    const network = new ConvNet({ ...options, contextFeatures: 2 });
    scope(() => {
      expect(() => network.apply(float64(23, 2), float64(2, 2))).toThrow(
        /\[ConvNet\] x: expected shape \[N·12, 2\], got \[23, 2\]/,
      );
      expect(() => network.apply(float64(24, 2))).toThrow(
        /\[ConvNet\] context: expected shape \[N, 2\] = \[2, 2\], got none/,
      );
      expect(() => network.apply(float64(24, 2), float64(3, 2))).toThrow(
        /\[ConvNet\] context: expected shape \[N, 2\] = \[2, 2\], got \[3, 2\]/,
      );
    });
    network.dispose();
  });
});

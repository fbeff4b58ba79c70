import { describe, expect, it } from 'vitest';
import { epsilonOf, type FloatDType } from '../../lib/dtype';
import { native } from '../../lib/native';
import { type MadeNetwork, madeInverse } from '../../lib/ops';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import type { ActivationName } from '../reference/activations';
import { expectClose, fixture } from '../reference/close';
import { hiddenMask, type Made, outputMask } from '../reference/made';
import { maskedAffineForward, maskedAffineInverse } from '../reference/maf';

interface Case {
  readonly features: number;
  readonly hidden: readonly number[];
  readonly activation?: 'relu' | 'tanh' | 'elu';
  readonly direct?: boolean;
  readonly context?: boolean;
  readonly randomDegrees?: boolean;
}

const cases: readonly Case[] = [
  { features: 1, hidden: [3], context: true },
  { features: 2, hidden: [1] },
  { features: 5, hidden: [16, 9], activation: 'tanh', direct: true },
  { features: 9, hidden: [40, 40], context: true, randomDegrees: true },
  { features: 17, hidden: [33, 20, 47], activation: 'elu', randomDegrees: true },
  { features: 33, hidden: [100], direct: true, context: true, randomDegrees: true },
  // Fewer hidden units than features: some outputs see the same units.
  { features: 40, hidden: [7], direct: true },
];

interface Fixture {
  readonly reference: Made;
  readonly network: (dtype: FloatDType) => MadeNetwork;
}

/** A network with signed random weights of a size that keeps activations near 1, sorted by degree. */
function build(options: Case, seed: number): Fixture {
  const { features, hidden, randomDegrees = false } = options;
  const next = fixture(seed);
  const single = (length: number, scale: number) =>
    Float64Array.from(Float32Array.from(next(length, scale)));
  const inputs = Array.from({ length: features }, (_, i) => i + 1);
  let before = inputs;
  const layers = hidden.map((units) => {
    const numbers = next(units);
    // Degree 0 sees no input at all; D sees all and serves no output.
    const degrees = Array.from({ length: units }, (_, i) =>
      randomDegrees
        ? Math.floor((((numbers[i] ?? 0) + 2) / 4) * (features + 1))
        : (i % Math.max(features - 1, 1)) + 1,
    ).sort((a, b) => a - b);
    const mask = hiddenMask(degrees, before);
    const weight = single(units * before.length, 2 / Math.sqrt(before.length));
    before = degrees;
    return { weight, mask, bias: single(units, 0.5) };
  });
  const output = {
    weight: single(2 * features * before.length, 2 / Math.sqrt(before.length)),
    mask: outputMask(inputs, before, 2),
    bias: single(2 * features, 0.5),
  };
  const first = hidden[0] ?? 0;
  const reference: Made = {
    features,
    outputsPerFeature: 2,
    activation: (options.activation ?? 'relu') as ActivationName,
    inputDegrees: inputs,
    hidden: layers,
    output,
    ...(options.context && { contextWeight: single(first * 3, 1), contextFeatures: 3 }),
    ...(options.direct && {
      direct: {
        weight: single(2 * features * features, 1 / Math.sqrt(features)),
        mask: outputMask(inputs, inputs, 2),
      },
    }),
  };
  const network = (dtype: FloatDType): MadeNetwork => {
    const tensor = (v: ArrayLike<number>, shape: readonly number[]) =>
      tensorOfArray(dtype === 'float32' ? Float32Array.from(v) : Float64Array.from(v), shape);
    const layer = ({ weight, mask, bias }: (typeof layers)[number]) => {
      const units = bias.length;
      const width = weight.length / units;
      const extents = Int32Array.from({ length: units }, (_, u) =>
        mask.slice(u * width, (u + 1) * width).reduce((a, b) => a + b, 0),
      );
      return {
        weight: tensor(weight, [units, width]),
        bias: tensor(bias, [units]),
        extents: tensorOfArray(extents, [units]),
      };
    };
    return {
      hiddenLayers: layers.map(layer),
      output: layer(output),
      activation: options.activation ?? 'relu',
      directLayer: reference.direct
        ? { weight: tensor(reference.direct.weight, [2 * features, features]) }
        : null,
    };
  };
  return { reference, network };
}

function contextTerm(made: Made, context: Float64Array, n: number): Float64Array {
  const weight = made.contextWeight ?? [];
  const units = made.hidden[0]?.bias.length ?? 0;
  return Float64Array.from({ length: n * units }, (_, i) => {
    const [row, u] = [Math.floor(i / units), i % units];
    return [0, 1, 2].reduce(
      (s, c) => s + (context[row * 3 + c] ?? 0) * (weight[u * 3 + c] ?? 0),
      0,
    );
  });
}

const make = (v: Float64Array, shape: readonly number[], dtype: FloatDType) =>
  tensorOfArray(dtype === 'float32' ? Float32Array.from(v) : v, shape);

describe('madeInverse', () => {
  it.each(cases)('%j: against D passes of the reference', (options) => {
    const { features, hidden } = options;
    const { reference, network } = build(options, features);
    for (const dtype of ['float64', 'float32'] as const) {
      for (const n of [1, 5, 16, 33, 150]) {
        const next = fixture(n);
        const y = Float64Array.from(Float32Array.from(next(n * features)));
        const context = options.context ? next(n * 3) : null;
        const term = context ? contextTerm(reference, context, n) : null;
        const units = hidden[0] ?? 0;
        const { x, logDet } = madeInverse(
          make(y, [n, features], dtype),
          network(dtype),
          term && make(term, [n, units], dtype),
          { scale: { kind: 'tanh', bound: 1 } },
        );
        const expected = maskedAffineInverse(reference, y, n, context, 'tanh');
        // Errors of the first dimensions go through the network into the later ones: at most tenfold in these networks,
        // over sums of 100 products.
        const units64 = (2000 * epsilonOf(dtype)) / epsilonOf('float64');
        expectClose(x.dataSync(), expected.y, units64, `${dtype} ${n} x`);
        expectClose(logDet.dataSync(), expected.logDet, units64, 'logDet', Math.sqrt(features));
        if (dtype === 'float64') {
          const forward = maskedAffineForward(reference, x.dataSync(), n, context, 'tanh');
          expectClose(forward.y, y, units64, 'round trip');
          const back = forward.logDet.map((l) => -l);
          expectClose(logDet.dataSync(), back, units64, 'round trip logDet', Math.sqrt(features));
          expect(Math.max(...logDet.dataSync().map(Math.abs))).toBeGreaterThan(0.1);
        }
      }
    }
  });

  it('gives a sample the same bits in any batch and with any number of threads', () => {
    const options: Case = { features: 17, hidden: [40, 40], randomDegrees: true };
    const network = build(options, 3).network('float32');
    const n = 300;
    const y = Float32Array.from(fixture(8)(n * 17));
    const run = (rows: number, threads: number) => {
      native.setThreads(threads);
      const { x, logDet } = madeInverse(tensorOfArray(y.slice(0, rows * 17), [rows, 17]), network);
      return [x.dataSync(), logDet.dataSync()] as const;
    };
    const before = native.threads();
    try {
      const [x, logDet] = run(n, 1);
      expect(run(n, 3)).toEqual([x, logDet]);
      for (const rows of [1, 16, 100]) {
        expect(run(rows, 2)).toEqual([x.slice(0, rows * 17), logDet.slice(0, rows)]);
      }
    } finally {
      native.setThreads(before);
    }
  });

  it('refuses what is not sorted or not autoregressive', () => {
    const { network } = build({ features: 3, hidden: [4] }, 1);
    const y = tensorOfArray(new Float64Array(6), [2, 3]);
    const good = network('float64');
    const [hidden] = good.hiddenLayers as [MadeNetwork['output']];
    const withExtents = (layer: MadeNetwork['output'], values: number[]) => ({
      ...layer,
      extents: tensorOfArray(Int32Array.from(values), [values.length]) as Tensor,
    });
    const run = (changes: Partial<MadeNetwork>) => () => madeInverse(y, { ...good, ...changes });
    expect(run({ hiddenLayers: [withExtents(hidden, [1, 2, 1, 2])] })).toThrow(/sort the units/);
    expect(run({ output: withExtents(good.output, [0, 0, 4, 4, 4, 4]) })).toThrow(
      /output 2 depends on input 1/,
    );
    expect(run({ output: withExtents(good.output, [0, 0, 2, 2, 9, 9]) })).toThrow(/extents\[4\]/);
    expect(run({ hiddenLayers: [] })).toThrow(/output layer, weight: expected shape \[6, 3\]/);
  });
});

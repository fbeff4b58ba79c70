/**
 * Ops on both devices, at sizes beyond those of the contract: where a kernel takes a sample or a column in pieces, several tables of
 * tensors, or long chains of equal indices. In three orders of the threads, with the same result bit for bit.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { native } from '../../lib/native';
import {
  adam,
  add,
  affineCoupling,
  autoregressiveAffine,
  batchInverse,
  batchLogAbsDet,
  batchNormTrain,
  channelAffine,
  checkFinite,
  columnMoments,
  gatherColumns,
  gatherRows,
  gradNorm,
  makeAdamState,
  mul,
  normalLogProb,
  RandomStream,
  residualSeries,
  sum,
} from '../../lib/ops';
import { type Device, onDevice } from '../../lib/tensor/device';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { emulatedPlugin } from './emulated';

beforeAll(() => void emulatedPlugin(), 900_000);

type Numbers = ArrayLike<number>;

/** What `body` gives on a device, from one stream of random numbers. */
function on(device: Device, body: (stream: RandomStream) => readonly Tensor[]): Numbers[] {
  return onDevice(device, () =>
    scope(() => {
      const stream = new RandomStream(7);
      const found = body(stream).map((tensor) => Array.from(tensor.dataSync(), Number));
      stream.dispose();
      return found;
    }),
  );
}

/** Gradients by all inputs of the loss Σ weights·output. */
function gradientsOf(
  stream: RandomStream,
  inputs: readonly Tensor[],
  run: (...inputs: Tensor[]) => readonly Tensor[],
): Tensor[] {
  const outputs = run(...inputs);
  const weights = outputs.map((output) => stream.normal(output.shape, output.dtype as 'float32'));
  const { gradients } = valueAndGradient(
    () =>
      run(...inputs)
        .map((output, i) => sum(mul(output, weights[i] as Tensor), undefined, { dtype: 'float64' }))
        .reduce((a, b) => add(a, b)),
    inputs,
  );
  return [...outputs, ...(gradients as Tensor[])];
}

const cases: Record<string, (stream: RandomStream) => readonly Tensor[]> = {
  'affineCoupling: two large samples': (stream) =>
    gradientsOf(
      stream,
      [stream.normal([2 * 900, 12], 'float64'), stream.normal([2 * 900, 12], 'float64')],
      (x, params) =>
        Object.values(affineCoupling(x as Tensor, params as Tensor, { start: 6, positions: 900 })),
    ),
  'affineCoupling: the gradient of a gain over many rows': (stream) =>
    gradientsOf(
      stream,
      [
        stream.normal([3000, 8], 'float64'),
        stream.normal([3000, 8], 'float64'),
        stream.normal([4], 'float64'),
      ],
      (x, params, gain) =>
        Object.values(
          affineCoupling(x as Tensor, params as Tensor, { start: 4, gain: gain as Tensor }),
        ),
    ),
  'autoregressiveAffine: long rows': (stream) =>
    gradientsOf(
      stream,
      [stream.normal([3, 3001], 'float64'), stream.normal([3, 6002], 'float64')],
      (x, params) => Object.values(autoregressiveAffine(x as Tensor, params as Tensor)),
    ),
  'channelAffine: many positions': (stream) =>
    gradientsOf(
      stream,
      [
        stream.normal([4 * 1500, 3], 'float64'),
        stream.normal([3], 'float64'),
        stream.normal([3], 'float64'),
      ],
      (x, scale, shift) =>
        Object.values(channelAffine(x as Tensor, scale as Tensor, shift as Tensor, 1500)),
    ),
  'normalLogProb: long rows': (stream) =>
    gradientsOf(stream, [stream.normal([2, 9999], 'float64')], (z) => [normalLogProb(z as Tensor)]),
  'columnMoments: many rows, far from zero': (stream) => {
    const { mean, variance } = columnMoments(
      add(stream.normal([5000, 5], 'float64'), tensorOfArray(Float64Array.of(1e4), [1])),
    );
    return [mean, variance];
  },
  'batchNormTrain: many rows': (stream) =>
    gradientsOf(
      stream,
      [
        stream.normal([3000, 6], 'float64'),
        stream.normal([6], 'float64'),
        stream.normal([6], 'float64'),
      ],
      (x, gamma, beta) => {
        const { y, logDet } = batchNormTrain(x as Tensor, gamma as Tensor, beta as Tensor, 1e-5);
        return [y, logDet];
      },
    ),
  'gatherRows and its gradient: an index many times': (stream) =>
    gradientsOf(stream, [stream.normal([3, 40], 'float64')], (x) => [
      gatherRows(
        x as Tensor,
        tensorOfArray(
          Int32Array.from({ length: 700 }, (_, i) => (i * i) % 3),
          [700],
        ),
      ),
    ]),
  'gatherColumns and its gradient: an index many times': (stream) =>
    gradientsOf(stream, [stream.normal([40, 5], 'float64')], (x) => [
      gatherColumns(
        x as Tensor,
        tensorOfArray(
          Int32Array.from({ length: 600 }, (_, i) => (i * i) % 5),
          [600],
        ),
      ),
    ]),
  'adam, gradNorm, checkFinite: several tables of tensors': (stream) => {
    const shapes = Array.from({ length: 170 }, (_, i) => (i === 11 ? [5000] : [1 + (i % 7), 5]));
    const list = () => shapes.map((shape) => stream.normal(shape, 'float64'));
    const [parameters, gradients, firstMoments] = [list(), list(), list()];
    const secondMoments = list().map((tensor) => mul(tensor, tensor));
    const norm = gradNorm(gradients);
    const state = makeAdamState({ lr: 1e-2, maxNorm: 1 });
    for (let step = 0; step < 3; step++)
      adam({ state, parameters, gradients, firstMoments, secondMoments, norm });
    const bad = tensorOfArray(Float64Array.of(1, Number.NaN), [2]);
    return [
      norm,
      state,
      checkFinite(gradients),
      checkFinite([...gradients, bad, bad]),
      ...parameters,
    ];
  },
  'random numbers': (stream) => [
    stream.uniform([4099], 'float64'),
    stream.uniform([4099]),
    stream.normal([4099], 'float64'),
    stream.normal([4099]),
    stream.state,
  ],
};

const orders = { ascending: 0, descending: 1, random: 2 };

it('the plug-in has every op of the addon', () => {
  expect(onDevice('cuda', () => [...native.cudaOps()])).toEqual([...native.ops]);
});

describe('as on the CPU', () => {
  it.each(Object.entries(cases))('%s', (name, body) => {
    const wanted = on('cpu', body);
    let first: Numbers[] | undefined;
    for (const order of Object.values(orders)) {
      onDevice('cuda', () => native.cudaSet('order', order));
      const found = on('cuda', body);
      native.cudaSet('order', orders.ascending);
      if (first) expect(found).toEqual(first);
      first ??= found;
    }
    first?.forEach((array, i) => {
      const other = wanted[i] as Numbers;
      expect(array.length).toBe(other.length);
      // Sums of thousands of terms, in another order; float32 numbers by other logarithms and cosines.
      const near = name === 'random numbers' ? 2 ** -20 : 1e-12;
      const most = Array.from(other, Math.abs).reduce((a, b) => Math.max(a, b), 1);
      for (let k = 0; k < array.length; k++)
        expect(
          Math.abs((array[k] as number) - (other[k] as number)),
          `result ${i}, element ${k}`,
        ).toBeLessThanOrEqual(most * near);
    });
  });
});

/** Of matrices below each other: a column of zeros, equal rows, zeros, both mistakes, a NaN, and one that is well. */
const mistaken = [
  ...[0, 1, 2, 0, 3, 4, 0, 5, 7],
  ...[1, 2, 3, 1, 2, 3, 1, 5, 7],
  ...new Array<number>(9).fill(0),
  ...[0, 1, 2, 0, 3, Number.NaN, 0, 5, 7],
  ...[1, Number.NaN, 2, 3, 3, 1, 2, 5, 7],
  ...[0, 2, 0, 1, 0, 0, 0, 0, 3],
];

it.each(['float32', 'float64'] as const)(
  'singular matrices and those with a NaN are told as on the CPU: %s',
  (dtype) => {
    const logs = (device: Device, inverse: boolean) =>
      onDevice(device, () =>
        scope(() => {
          const a = tensorOfArray(
            dtype === 'float32' ? Float32Array.from(mistaken) : Float64Array.from(mistaken),
            [18, 3],
          );
          const made = inverse ? batchInverse(a).logAbsDet : batchLogAbsDet(a);
          return [...made.dataSync()];
        }),
      );
    const { NEGATIVE_INFINITY: none, NaN: unknown } = Number;
    for (const inverse of [true, false])
      for (const device of ['cpu', 'cuda'] as const)
        expect(logs(device, inverse), `${device}, inverse ${inverse}`).toEqual([
          none,
          none,
          none,
          unknown,
          unknown,
          expect.closeTo(Math.log(6), 12),
        ]);
  },
);

it('a sample whose series ended is not touched by those that go on', () => {
  // w grows by 1e20 a term: infinite in float32 from the second on. As a table, and as pixels.
  const { weighted, series } = onDevice('cuda', () =>
    scope(() => {
      const v = tensorOfArray(Float32Array.of(1, 1), [2, 1]);
      const q = tensorOfArray(Float64Array.of(1, 0, 0, 0, 0, 0, 0, 1), [2, 4]);
      const weight = tensorOfArray(Float32Array.of(1e20), [1, 1]);
      const geometry = { height: 1, width: 1, kernel: [1, 1] } as const;
      const made = [null, geometry].map((own) =>
        residualSeries(v, q, [{ weight, slopes: null, geometry: own }], 1),
      );
      return {
        weighted: made.map((one) => [...one.weighted!.dataSync()]),
        series: made.map((one) => [...one.series.dataSync()]),
      };
    }),
  );
  for (const k of [0, 1]) {
    expect([weighted[k]![0], series[k]![0]! / 1e20]).toEqual([1, expect.closeTo(1, 6)]);
    expect([weighted[k]![1], series[k]![1]]).toEqual([-Infinity, -Infinity]);
  }
});

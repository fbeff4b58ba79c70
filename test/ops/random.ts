import { RandomStream } from '../../lib/ops';
import { tensorOfArray } from '../../lib/tensor/tensor';
import type { OpCase, OpContract } from '../contract/opCase';
import { oddSizes, unitInterval } from '../contract/opCase';
import { ofType } from '../contract/opContract';
import { boxMuller, philox4x32 } from '../reference/random';

// A seed of two different words, and a call count that goes over 2³².
const seed = -0x1234_5678_9abc_def1n;
const state = Int32Array.of(
  Number(BigInt.asIntN(32, seed)),
  Number(BigInt.asIntN(32, seed >> 32n)),
  -1,
  5,
);

const unsigned = (word: number) => word >>> 0;

/** Words of blocks 0, 1, … of the call that is `later` calls after `state`. */
function words(blocks: number, later: number): number[][] {
  const calls = (BigInt(unsigned(state[3]!)) << 32n) + BigInt(unsigned(state[2]!)) + BigInt(later);
  const [low, high] = [Number(calls & 0xffffffffn), Number(calls >> 32n)];
  return Array.from({ length: blocks }, (_, block) =>
    philox4x32([block, 0, low, high], [unsigned(state[0]!), unsigned(state[1]!)]),
  );
}

function uniforms(length: number, later: number, isDouble: boolean): Float64Array {
  const perBlock = isDouble ? 2 : 4;
  const blocks = words(Math.ceil(length / perBlock), later);
  return Float64Array.from({ length }, (_, i) => {
    const block = blocks[Math.floor(i / perBlock)]!;
    const k = i % perBlock;
    if (!isDouble) return (block[k]! >>> 8) * 2 ** -24;
    // 53 bits: 32 of the second word, 21 of the first.
    return (block[2 * k + 1]! * 2 ** 21 + (block[2 * k]! >>> 11)) * 2 ** -53;
  });
}

function normals(length: number, later: number, isDouble: boolean): Float64Array {
  const perBlock = isDouble ? 2 : 4;
  const values = words(Math.ceil(length / perBlock), later).flatMap((block) => {
    if (!isDouble) {
      const pair = (a: number, b: number) =>
        // Rounded as float32 is: the logarithm near 1 is sensitive.
        boxMuller(Math.fround(Math.fround((a >>> 1) * 2 ** -31) + 2 ** -32), (b >>> 8) * 2 ** -24);
      return [...pair(block[0]!, block[1]!), ...pair(block[2]!, block[3]!)];
    }
    const u = (block[1]! * 2 ** 21 + (block[0]! >>> 11)) * 2 ** -53 + 2 ** -54;
    return boxMuller(u, (block[3]! * 2 ** 21 + (block[2]! >>> 11)) * 2 ** -53);
  });
  return Float64Array.from(values.slice(0, length));
}

/** Draws with a stream of its own, which is disposed. */
function withStream<T>(body: (stream: RandomStream) => T): T {
  const stream = new RandomStream(state);
  try {
    return body(stream);
  } finally {
    stream.dispose();
  }
}

const cases: OpCase[] = [...oddSizes, 255, 256, 257, 5000].map((size) => ({
  name: `uniform, normal and Bernoulli, ${size}`,
  inputs: [{ shape: [size], values: unitInterval, constant: true }],
  run: (p) =>
    withStream((stream) => [
      stream.uniform([size], 'float32'),
      stream.uniform([size], 'float64'),
      stream.normal([size], 'float32'),
      stream.normal([size], 'float64'),
      stream.bernoulli(p),
      tensorOfArray(stream.state.dataSync(), [4]),
    ]),
  expected: (p) => {
    // p arrives rounded to the type of the case: a float32 p is its own rounding.
    const isDouble = p.some((value) => Math.fround(value) !== value);
    const u = uniforms(size, 4, isDouble);
    return [
      { shape: [size], values: uniforms(size, 0, false), dtype: 'float32' },
      { shape: [size], values: uniforms(size, 1, true), dtype: 'float64' },
      { shape: [size], values: normals(size, 2, false), dtype: 'float32' },
      { shape: [size], values: normals(size, 3, true), dtype: 'float64' },
      { shape: [size], values: p.map((value, i) => (u[i]! < value ? 1 : 0)) },
      { shape: [4], values: [state[0]!, state[1]!, 4, 6], dtype: 'int32' },
    ];
  },
  // log, √, sin and cos within 2 ulp each. Uniforms and normals of float64 have tests of their own below.
  units: 2 ** 29 * 4,
  dtypes: ['float64'],
  replays: false,
}));

export const contract: OpContract = {
  module: 'random',
  native: ['random_uniform', 'random_normal', 'random_bernoulli'],
  cases: [
    ...cases,
    ...oddSizes.map(
      (size): OpCase => ({
        name: `uniform, exact, ${size}`,
        inputs: [],
        run: () =>
          withStream((stream) => [
            stream.uniform([size], 'float64'),
            stream.uniform([size], 'float32'),
          ]),
        expected: () => [
          { shape: [size], values: uniforms(size, 0, true), dtype: 'float64' },
          { shape: [size], values: uniforms(size, 1, false), dtype: 'float32' },
        ],
        units: 0,
        dtypes: ['float64'],
        replays: false,
      }),
    ),
    ...oddSizes.map(
      (size): OpCase => ({
        name: `normal, float64, ${size}`,
        inputs: [],
        run: () => withStream((stream) => stream.normal([size], 'float64')),
        expected: () => ({ shape: [size], values: normals(size, 0, true), dtype: 'float64' }),
        units: 16,
        dtypes: ['float64'],
        replays: false,
      }),
    ),
    ...oddSizes.map(
      (size): OpCase => ({
        name: `Bernoulli, float32, ${size}`,
        inputs: [{ shape: [size], values: unitInterval, constant: true }],
        run: (p) => withStream((stream) => stream.bernoulli(p)),
        expected: (p) => {
          const u = uniforms(size, 0, false);
          return { shape: [size], values: p.map((value, i) => (u[i]! < value ? 1 : 0)) };
        },
        units: 0,
        dtypes: ['float32'],
        replays: false,
      }),
    ),
  ],
  errors: [
    {
      name: 'a seed that is not whole',
      run: () => new RandomStream(0.5),
      code: 'ARGUMENT',
      says: /\[RandomStream\] seed: expected a whole number, got 0.5/,
    },
    {
      name: 'a state of three words',
      run: () => new RandomStream(Int32Array.of(1, 2, 3)),
      code: 'SHAPE',
      says: /\[RandomStream\] state: expected 4 words, got 3/,
    },
    {
      name: 'probabilities as bytes',
      run: () => withStream((stream) => stream.bernoulli(ofType([3], 'uint8'))),
      code: 'DTYPE',
      says: /\[bernoulli\] p: expected float32 or float64, got uint8/,
    },
  ],
};

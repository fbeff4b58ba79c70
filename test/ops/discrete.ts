import {
  bernoulliSample,
  categoricalLogProb,
  categoricalSample,
  discretizedLogisticMixtureLogProb,
  discretizedLogisticMixtureSample,
} from '../../lib/ops';
import { type Input, indexes, type OpCase, type OpContract, type Values } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import * as reference from '../reference/discrete';

/** Numbers in [0, 1). */
const uniform: Values = (draw, length) => draw(length).map((value) => (value + 2) / 4.0001);

function softmax(rows: number, channels: number, levels: number, positions: number): OpCase {
  return {
    name: `softmax of ${levels}, ${rows} × ${channels}, ${positions} positions`,
    inputs: [
      { shape: [rows, channels * levels], values: (draw, n) => draw(n, 3) },
      { shape: [rows, channels], values: indexes(levels), constant: true },
    ],
    run: (logits, x) => categoricalLogProb(logits, x, { positions }),
    expected: (logits, x) => ({
      shape: [rows / positions],
      values: reference.categoricalLogProb(logits, x, levels, rows / positions),
      dtype: 'float64',
    }),
    // Differences of logits up to 6 beside sums of some units.
    units: 8,
    second: 'unsupported',
  };
}

interface Mixture {
  readonly rows: number;
  readonly channels: number;
  readonly mixtures: number;
  readonly levels: number;
  readonly positions: number;
  /** Of the log-scales; the means are within ±1. */
  readonly spread?: Values;
}

/** Levels with the first and the last among them. */
const withEdges =
  (levels: number): Values =>
  (draw, length) =>
    Float64Array.from(indexes(levels)(draw, length), (level, i) =>
      i % 5 === 1 ? 0 : i % 5 === 3 ? levels - 1 : level,
    );

function mixtureInputs({ rows, channels, mixtures, levels, spread }: Mixture): Input[] {
  const columns = reference.mixtureColumns(mixtures, channels);
  return [
    {
      shape: [rows, columns],
      values: (draw, length) => {
        const values = draw(length, 0.6);
        const scales = spread ? Array.from(spread(draw, length)) : [];
        return values.map((value, i) => {
          const block = Math.floor((i % columns) / mixtures);
          return block > channels && block <= 2 * channels ? (scales[i] ?? value - 1.5) : value;
        });
      },
    },
    { shape: [rows, channels], values: withEdges(levels), constant: true },
  ];
}

function mixture(name: string, options: Mixture, more: Partial<OpCase> = {}): OpCase {
  const { rows, channels, levels, positions } = options;
  return {
    name: `mixture, ${name}`,
    inputs: mixtureInputs(options),
    run: (params, x) => discretizedLogisticMixtureLogProb(params, x, { levels, positions }),
    expected: (params, x) => ({
      shape: [rows / positions],
      values: reference.mixtureLogProb(params, x, channels, levels, rows / positions),
      dtype: 'float64',
    }),
    // Distances in scales carry the rounding of the values, e^2 times.
    units: 64,
    gradientUnits: 512,
    second: 'unsupported',
    ...more,
  };
}

const cases: OpCase[] = [
  softmax(3, 1, 1, 1),
  softmax(4, 2, 3, 2),
  softmax(6, 3, 5, 2),
  softmax(3, 1, 17, 3),
  softmax(2, 2, 256, 1),
  {
    name: 'softmax, int32 levels and one that is none',
    inputs: [
      { shape: [4, 5] },
      { shape: [4, 1], dtype: 'int32', values: () => [0, 4, 5, -1], viewable: false },
    ],
    run: (logits, x) => categoricalLogProb(logits, x),
    expected: (logits, x) => ({
      shape: [4],
      values: reference.categoricalLogProb(logits, x, 5, 4),
      dtype: 'float64',
    }),
    gradient: false,
  },
  {
    name: 'softmax far out',
    inputs: [
      { shape: [3, 3], values: () => [0, 1e4, -1e4, 1e4, 1e4, 1e4, -3e4, -3e4, 0] },
      { shape: [3, 1], values: () => [2, 1, 0], constant: true },
    ],
    run: (logits, x) => categoricalLogProb(logits, x),
    expected: () => ({ shape: [3], values: [-2e4, -Math.log(3), -3e4], dtype: 'float64' }),
    gradient: false,
  },
  mixture('one channel, 256 levels', {
    rows: 17,
    channels: 1,
    mixtures: 3,
    levels: 256,
    positions: 1,
  }),
  mixture('colours, 256 levels', { rows: 6, channels: 3, mixtures: 2, levels: 256, positions: 3 }),
  mixture('two channels, 2 levels', { rows: 4, channels: 2, mixtures: 1, levels: 2, positions: 2 }),
  mixture('a wide image', { rows: 66, channels: 3, mixtures: 10, levels: 256, positions: 33 }),
  // Scales from a thousandth of a bin to a thousand bins: the difference of the reference needs values in its reach.
  mixture(
    'wide and narrow scales',
    {
      rows: 8,
      channels: 1,
      mixtures: 1,
      levels: 4,
      positions: 1,
      spread: (draw, length) => draw(length, 1).map((value) => 2 * value),
    },
    { dtypes: ['float64'], units: 1024 },
  ),
  {
    // By hand: far from a narrow bin log P = −(distance − h)/s + log(1 − e^(−2h/s)); scales below the least are raised to it.
    name: 'mixture far out',
    inputs: [
      { shape: [3, 3], values: () => [0, 100, -2, 0, -100, -2, 0, 0, -30] },
      { shape: [3, 1], values: () => [7, 100, 128], constant: true },
    ],
    run: (params, x) => discretizedLogisticMixtureLogProb(params, x),
    expected: (params, x) => ({
      shape: [3],
      values: [0, 1, 2].map((r) => {
        const s = Math.exp(Math.max(-7, params[3 * r + 2]!));
        const distance = Math.abs((2 * x[r]!) / 255 - 1 - params[3 * r + 1]!);
        const [near, far] = [(distance - 1 / 255) / s, (distance + 1 / 255) / s];
        return (
          -near -
          Math.log1p(Math.exp(-near)) -
          Math.log1p(Math.exp(-far)) +
          Math.log(-Math.expm1(near - far))
        );
      }),
      dtype: 'float64',
    }),
    units: 64,
    gradient: false,
  },
  {
    name: 'draws of a softmax',
    inputs: [
      { shape: [9, 2 * 7], constant: true },
      { shape: [9, 2], values: uniform, constant: true },
    ],
    run: (logits, u) => categoricalSample(logits, u),
    expected: (logits, u) => ({
      shape: [9, 2],
      values: Array.from(u, (value, i) =>
        reference.drawCategory(logits.subarray(7 * i, 7 * (i + 1)), value),
      ),
    }),
    units: 0,
    gradient: false,
  },
  {
    name: 'draws of bits',
    inputs: [
      { shape: [5, 17], constant: true },
      { shape: [5, 17], values: uniform, constant: true },
    ],
    run: (logits, u) => bernoulliSample(logits, u),
    expected: (logits, u) => ({
      shape: [5, 17],
      values: logits.map((l, i) => (u[i]! < 1 / (1 + Math.exp(-l)) ? 1 : 0)),
    }),
    units: 0,
    gradient: false,
  },
  {
    name: 'draws of a mixture',
    inputs: [
      { shape: [9, 20], values: (draw, n) => draw(n, 0.7), constant: true },
      { shape: [9, 4], values: uniform, constant: true },
    ],
    run: (params, u) => discretizedLogisticMixtureSample(params, u, { levels: 64 }),
    expected: (params, u) => ({
      shape: [9, 3],
      values: Array.from({ length: 9 }, (_, r) =>
        reference.drawMixture(
          params.subarray(20 * r, 20 * (r + 1)),
          u.subarray(4 * r, 4 * (r + 1)),
          64,
        ),
      ).flat(),
    }),
    units: 0,
    gradient: false,
  },
];

export const contract: OpContract = {
  module: 'discrete',
  native: [
    'categorical_log_prob',
    'categorical_log_prob_grad',
    'logistic_mixture_log_prob',
    'logistic_mixture_log_prob_grad',
    'discrete_sample',
  ],
  cases,
  errors: [
    {
      name: 'logits of another number of columns',
      run: () => categoricalLogProb(f32([4, 7]), f32([4, 2])),
      code: 'SHAPE',
      says: /\[categoricalLogProb\] logits: expected shape \[N·P, 2·K\], got \[4, 7\]/,
    },
    {
      name: 'positions that do not divide the rows',
      run: () => categoricalLogProb(f32([4, 6]), f32([4, 2]), { positions: 3 }),
      code: 'ARGUMENT',
      says: /\[categoricalLogProb\] positions: expected a divisor of the 4 rows, got 3/,
    },
    {
      name: 'float64 levels of float32 logits',
      run: () => categoricalLogProb(f32([4, 6]), ofType([4, 2], 'float64')),
      code: 'DTYPE',
      says: /\[categoricalLogProb\] x: expected float32, got float64/,
    },
    {
      name: 'parameters of no mixture',
      run: () => discretizedLogisticMixtureLogProb(f32([4, 9]), f32([4, 3])),
      code: 'SHAPE',
      says: /params: expected shape \[N·P, K·10\], got \[4, 9\]/,
    },
    {
      name: 'one level',
      run: () => discretizedLogisticMixtureSample(f32([4, 3]), f32([4, 2]), { levels: 1 }),
      code: 'ARGUMENT',
      says: /levels: expected a whole number from 2 to 2\^24, got 1/,
    },
  ],
};

// Kernels that go over numbers: element by element, sums, rows and columns, random numbers, optimizers.
import { indices, matrix, vector } from '../../instruction.mjs';

import { kernel } from './kernel.mjs';
import { each, f64, H, hidden, N, positive, size } from './sizes.mjs';

// Element by element: an input or an output is 4 bytes an element, read or written once.
const kinds = { exp: 5, log: 7, tanh: 9, sigmoid: 10, softplus: 12, sin: 16, erf: 18 };
export const elementwise = [
  kernel('copy', size, { ...each(2), peak: 'copy' }, () => [[hidden()], [hidden()]]),
  kernel('copy', 'u8 256x784', { bytes: 256 * 784 * 5, peak: 'copy' }, () => [
    [matrix(256, 784, { dtype: 'uint8', fill: (i) => i % 256 })],
    [matrix(256, 784)],
  ]),
  kernel('fill', size, { ...each(1), peak: 'copy' }, () => [[], [hidden()], [1.5]]),
  kernel('accumulate', size, each(3), () => [[hidden(), hidden()], [hidden()]]),
  // 192 MiB: beyond every cache.
  kernel('accumulate', '4096x4096', { bytes: 3 * 4096 * 4096 * 4 }, () => [
    [matrix(4096, 4096), matrix(4096, 4096)],
    [matrix(4096, 4096)],
  ]),
  kernel('affine_scalar', size, each(2), () => [[hidden()], [hidden()], [1.5, 0.1]]),
  ...Object.entries(kinds).map(([kind, code]) =>
    kernel('unary', `${kind} ${size}`, each(2), () => [
      [hidden(positive)],
      [hidden()],
      [code, 0, 0],
    ]),
  ),
  kernel('unary', `exp f64 ${size}`, { bytes: 2 * N * H * 8 }, () => [
    [hidden(f64)],
    [hidden(f64)],
    [5, 0, 0],
  ]),
  kernel('unary_grad', `tanh ${size}`, each(3), () => [
    [hidden(), hidden()],
    [hidden()],
    [9, 0, 0],
  ]),
  kernel('gated_activation', size, each(3), () => [[matrix(N, 2 * H)], [hidden()]]),
  kernel('gated_activation_grad', size, each(5), () => [
    [matrix(N, 2 * H), hidden()],
    [matrix(N, 2 * H)],
  ]),
  kernel('activation_slope', size, each(3), () => [
    [hidden(), vector(1)],
    [hidden(), hidden()],
    [0],
  ]),
  kernel('activation_slope_grad', size, each(4), () => [
    [hidden(), vector(1), hidden(), hidden()],
    [hidden(), vector(1)],
    [0],
  ]),
  kernel('binary', `mul ${size}`, each(3), () => [[hidden(), hidden()], [hidden()], [2]]),
  kernel('binary', `mul by a row ${size}`, each(2), () => [
    [hidden(), matrix(1, H)],
    [hidden()],
    [2],
  ]),
  kernel('expand', size, { ...each(1), peak: 'copy' }, () => [
    [matrix(N, 1, f64)],
    [hidden()],
    [0.5],
  ]),
  kernel('where', size, each(4), () => [[hidden(), hidden(), hidden()], [hidden()]]),
];

// Sums, maxima and densities: everything is read once, the results are few.
export const sums = [
  kernel('reduce', `sum of columns ${size}`, each(1), () => [[hidden()], [vector(H)], [0, 0, 1]]),
  kernel('reduce', `sum of rows ${size}`, each(1), () => [[hidden()], [vector(N, f64)], [0, 1, 1]]),
  kernel('reduce', `sum of all ${size}`, each(1), () => [[hidden()], [vector(1, f64)], [0, 2, 1]]),
  kernel('reduce', `max of rows ${size}`, each(1), () => [[hidden()], [vector(N)], [2, 1, 1]]),
  kernel('reduce', `logsumexp of rows ${size}`, each(1), () => [
    [hidden()],
    [vector(N)],
    [3, 1, 1],
  ]),
  kernel('reduce_grad', `logsumexp of rows ${size}`, each(2), () => [
    [hidden(), vector(N, { fill: () => 6 }), vector(N)],
    [hidden()],
    [3, 1],
  ]),
  kernel('log_prob', `normal ${size}`, each(1), () => [[hidden()], [vector(N, f64)], [0]]),
  kernel('log_prob', `Bernoulli ${size}`, each(2), () => [
    [hidden(), hidden(positive)],
    [vector(N, f64)],
    [2],
  ]),
  kernel('log_prob_grad', `normal ${size}`, each(2), () => [
    [hidden(), vector(N, f64)],
    [hidden(), null],
    [0],
  ]),
  kernel('column_moments', size, each(1), () => [[hidden()], [vector(H, f64), vector(H, f64)]]),
  kernel('batch_norm', size, each(2), () => [
    [hidden(), vector(H, f64), vector(H, { ...f64, ...positive }), vector(H), vector(H)],
    [hidden(), vector(1, f64)],
    [1e-5],
  ]),
  // Glow's first level: 16 images of 16 × 16 × 12.
  kernel('channel_affine', 'glow 4096x12', { bytes: 4096 * 12 * 8 }, () => [
    [matrix(4096, 12), vector(12), vector(12)],
    [matrix(4096, 12), vector(16, f64)],
    [0, 256],
  ]),
  kernel('channel_affine_grad', 'glow 4096x12', { bytes: 4096 * 12 * 12 }, () => [
    [matrix(4096, 12), vector(12), vector(12), matrix(4096, 12), vector(16, f64)],
    [matrix(4096, 12), vector(12), vector(12)],
    [0, 256],
  ]),
  kernel('squeeze', '64 of 32x32x3', { bytes: 64 * 3072 * 8, peak: 'copy' }, () => [
    [matrix(64, 3072)],
    [matrix(64, 3072)],
    [32, 32, 3, 0],
  ]),
  // x and dL_dy are read, dL_dx is written; that the sums are read before counts nothing.
  kernel('batch_norm_grad', size, each(3), () => [
    [
      hidden(),
      vector(H, f64),
      vector(H, { ...f64, ...positive }),
      vector(H),
      hidden(),
      vector(1, f64),
    ],
    [hidden(), vector(H), vector(H)],
    [1e-5, 1],
  ]),
  kernel('activation_grad', `relu ${size}`, each(3), () => [
    [hidden(), hidden()],
    [hidden(), vector(H)],
    [1, 0, 1, 3],
  ]),
];

// Rows and columns moved about.
export const moves = [
  // A batch of MNIST out of its 60,000 images: a byte in, 4 out.
  kernel('gather_rows', 'u8 256 of 60000x784', { bytes: 256 * 784 * 5, peak: 'copy' }, () => [
    [matrix(60000, 784, { dtype: 'uint8', fill: (i) => i % 256 }), indices(256, 60000)],
    [matrix(256, 784)],
    [1 / 255, 0],
  ]),
  kernel('scatter_rows', size, each(2), () => [[hidden(), indices(N, N)], [hidden()]]),
  kernel('gather_columns', size, { ...each(2), peak: 'copy' }, () => [
    [hidden(), indices(H, H)],
    [hidden()],
  ]),
  kernel('scatter_columns', size, each(2), () => [[hidden(), indices(H, H)], [hidden()]]),
  kernel('embed_columns', size, { bytes: N * (H + H / 2) * 4, peak: 'copy' }, () => [
    [matrix(N, H / 2)],
    [hidden()],
    [H / 4],
  ]),
  kernel('concat_columns', size, { ...each(2), peak: 'copy' }, () => [
    [matrix(N, H / 2), matrix(N, H / 2)],
    [hidden()],
  ]),
];

const counter = () => vector(4, { dtype: 'int32', fill: (i) => 3 * i });
export const random = [
  kernel('random_uniform', size, { ...each(1), peak: 'copy' }, () => [[], [hidden(), counter()]]),
  kernel('random_normal', size, { ...each(1), peak: 'copy' }, () => [[], [hidden(), counter()]]),
  kernel('random_bernoulli', size, each(2), () => [[hidden(positive)], [hidden(), counter()]]),
];

// A model of 2²⁰ parameters. Adam reads gradient, parameter and two moments and writes three of them.
const P = 1 << 20;
const parameters = (options) => vector(P, { scale: 0.1, ...options });
const state = (...values) => vector(values.length, { ...f64, fill: (i) => values[i] });
export const optimizers = [
  kernel('adam', '2^20', { bytes: 7 * P * 4, touched: 4 * P * 4, peak: 'update' }, () => [
    [null, null, parameters()],
    [state(0, 1e-6, 0.9, 0.999, 1e-8, 0, 0), parameters(), parameters(), parameters(positive)],
    [0],
  ]),
  kernel('sgd', '2^20', { bytes: 5 * P * 4, touched: 3 * P * 4, peak: 'update' }, () => [
    [null, null, parameters()],
    [state(1e-6, 0.9, 0, 0), parameters(), parameters()],
    [0],
  ]),
  kernel('ema', '2^20', { bytes: 3 * P * 4, touched: 2 * P * 4, peak: 'update' }, () => [
    [state(0.99), null, parameters()],
    [parameters()],
  ]),
  kernel('clip', '2^20', { bytes: 2 * P * 4, touched: 1 * P * 4, peak: 'update' }, () => [
    [state(1), state(0.999999)],
    [parameters()],
  ]),
  kernel('grad_norm', '2^20', { bytes: P * 4 }, () => [[parameters()], [vector(1, f64)]]),
  kernel('check_finite', '2^20', { bytes: P * 4 }, () => [
    [parameters()],
    [vector(1, { dtype: 'int32' })],
  ]),
];

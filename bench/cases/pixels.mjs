// Autoregressive models of images: training steps and draws of PixelCNN and PixelRNN at the sizes that the peers run
// (bench/peers/pixels.py), and the kernels that they are made of. A draw is of 16 images, one pixel of all of them a repetition;
// PyTorch draws it, as such code is written, by a pass over the whole images.
import flow from '../../dist/index.js';
import { matrix, vector } from '../instruction.mjs';
import { kernel } from './kernels.mjs';
import { trainingStep } from './step.mjs';

const image = { height: 28, width: 28, channels: 1 };
const pixels = 28 * 28;
const batch = 16;

const models = {
  pixelcnn: () =>
    new flow.PixelCnn({ image, likelihood: 'bernoulli', layers: 7, hidden: 64, seed: 1 }),
  'pixelcnn-gated': () =>
    new flow.PixelCnn({
      image,
      likelihood: 'bernoulli',
      layers: 7,
      hidden: 64,
      gated: true,
      seed: 1,
    }),
  pixelrnn: () =>
    new flow.PixelRnn({ image, likelihood: 'bernoulli', layers: 7, hidden: 16, seed: 1 }),
};

function step(build) {
  const x = matrix(batch, pixels, { fill: (i) => ((i * 7919) % 10 < 3 ? 1 : 0) });
  return trainingStep(build(), x);
}

const trained = Object.entries(models).flatMap(([name, build]) => [
  {
    name: `${name}:step`,
    // torch.compile unrolls the scans of PixelRNN: minutes, for nothing.
    peer: { name: `${name}:step`, ...(name === 'pixelrnn' && { variants: ['eager'] }) },
    setUp: () => step(build),
  },
  {
    name: `${name}:sample16`,
    // PixelRNN's pass is a scan in Python: its steps are compared, not its draws.
    ...(name !== 'pixelrnn' && { peer: { name: `${name}:sample16` } }),
    setUp() {
      const model = build();
      return { run: () => model.sample(batch, { seed: 3 }).dispose(), per: pixels };
    },
    rates: (ms) => ({ msAnImage: (ms * pixels) / batch }),
  },
]);

const f64 = { dtype: 'float64' };
const positive = { fill: (i) => 0.1 + ((i * 7919) % 800) / 1000 };
const levels = (rows, cols) => matrix(rows, cols, { fill: (i) => (i * 37) % 256 });
/** Place, dy, dx of the taps of a 7 × 7 kernel before its pixel. */
const before = Array.from({ length: 24 }, (_, place) => [
  place,
  Math.floor(place / 7) - 3,
  (place % 7) - 3,
]).flat();

const states = 16;
const scan = { flops: batch * pixels * 4 * states * 2 * states * 2 };
const map = (channels, options) => matrix(batch * pixels, channels, options);
const recurrence = () => matrix(4 * states, 2 * states, { scale: 0.2 });

export const pixelCases = [
  ...trained,
  // 256 pixels of 256 levels; 1024 pixels of three colours, components of 10.
  kernel('categorical_log_prob', '256 of 256 levels', { bytes: 4 * 256 * 256 }, () => [
    [matrix(256, 256), levels(256, 1)],
    [vector(1, f64), null],
    [256, 256],
  ]),
  kernel('categorical_log_prob_grad', '256 of 256 levels', { bytes: 8 * 256 * 256 }, () => [
    [matrix(256, 256), levels(256, 1), matrix(256, 2), vector(1, f64)],
    [matrix(256, 256)],
    [256, 256],
  ]),
  kernel('logistic_mixture_log_prob', '1024x3, 10 components', { bytes: 4 * 1024 * 103 }, () => [
    [matrix(1024, 100), levels(1024, 3)],
    [vector(1, f64)],
    [256, -7, 1024],
  ]),
  kernel(
    'logistic_mixture_log_prob_grad',
    '1024x3, 10 components',
    { bytes: 4 * 1024 * 203 },
    () => [
      [matrix(1024, 100), levels(1024, 3), vector(1, f64)],
      [matrix(1024, 100)],
      [256, -7, 1024],
    ],
  ),
  kernel('discrete_sample', '256 of 256 levels', { bytes: 4 * 256 * 256 }, () => [
    [matrix(256, 256), matrix(256, 1, { fill: () => 0.5 })],
    [matrix(256, 1)],
    [0, 256, 0],
  ]),
  kernel('spatial_lstm', '16x28x28, 16 states', scan, () => [
    [map(4 * states), recurrence()],
    [map(states), map(4 * states), map(states)],
    [28, 28, 1],
  ]),
  kernel('spatial_lstm_grad', '16x28x28, 16 states', scan, () => [
    [map(states), recurrence(), map(4 * states, positive), map(states)],
    [map(4 * states)],
    [28, 28, 1],
  ]),
  // A logistic regression on the 24 pixels before.
  kernel(
    'pixel_sample',
    '16x28x28, one layer',
    { flops: batch * pixels * 24 * 2 },
    () => [
      [map(1, { fill: () => 0.5 }), matrix(1, 2, { fill: (i) => i }), matrix(1, 49), null],
      [map(1)],
      [28, 28, 1, 2, 2, -7, 1, 0, 0, 0, -1, 1, 1, 0, 0, 24, ...before],
    ],
    { reference: false },
  ),
];

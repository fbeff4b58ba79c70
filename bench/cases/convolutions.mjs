// The convolutions of the cases glow (hidden 128) and glow-wide (512): 16 images, three levels, 3×3 → 1×1 → 3×3.
//
// kernel: rows are single instructions. conv: rows are forward and backward of whole networks, as a training step runs them
// (recorded once, replayed in one native call), with PyTorch beside them: gradients by all weights and by the input.

import { valueAndGradient } from '../../dist/autograd/gradient.js';
import flow from '../../dist/index.js';
import { record } from '../../dist/tensor/program.js';
import { scope } from '../../dist/tensor/scope.js';
import { matrix, vector } from '../instruction.mjs';
import { kernel } from './kernels.mjs';

const images = 16;
/** Side of the images of a level and channels that a coupling reads; it makes twice as many. */
const levels = [
  [16, 6],
  [8, 12],
  [4, 24],
];

const offsets = (size) => Array.from({ length: size }, (_, i) => i - (size - 1) / 2);
function attributes(side, size, activation) {
  const taps = offsets(size).flatMap((dy) => offsets(size).map((dx) => [dy, dx]));
  return [side, side, size * size, activation, 0, ...taps.flatMap(([dy, dx], k) => [k, dy, dx])];
}

/** Forward (bias, and relu where another layer follows), gradient by input (with the gate of a relu before) and by weight. */
function passes(side, inputs, outputs, size, { relu, gate }) {
  const pixels = images * side * side;
  const depth = size * size * inputs;
  const cost = { flops: 2 * pixels * depth * outputs };
  const label = `${images}x${side}x${side} ${inputs}-${outputs} ${size}x${size}`;
  const x = () => matrix(pixels, inputs);
  const y = () => matrix(pixels, outputs);
  const weight = () => matrix(outputs, depth, { scale: 1 / Math.sqrt(depth) });
  return [
    kernel('conv2d', label, cost, () => [
      [x(), weight(), vector(outputs), null],
      [y()],
      attributes(side, size, relu ? 1 : 0),
    ]),
    kernel('conv2d_grad_input', label, cost, () => [
      [y(), weight(), gate ? x() : null],
      [x()],
      attributes(side, size, gate ? 1 : 0),
    ]),
    kernel('conv2d_grad_weight', label, cost, () => [
      [y(), x()],
      [weight()],
      attributes(side, size, 0),
    ]),
  ];
}

const coupling = (side, inputs, hidden) => [
  ...passes(side, inputs, hidden, 3, { relu: true, gate: false }),
  ...passes(side, hidden, hidden, 1, { relu: true, gate: true }),
  ...passes(side, hidden, 2 * inputs, 3, { relu: false, gate: true }),
];

/** The network of a coupling in one instruction, and its gradients by everything. */
function stacks(side, inputs, hidden) {
  const pixels = images * side * side;
  const rows = (columns) => matrix(pixels, columns);
  const outputs = 2 * inputs;
  const of = (out, depth) => matrix(out, depth, { scale: 1 / Math.sqrt(depth) });
  const weights = () => [of(hidden, 9 * inputs), of(hidden, hidden), of(outputs, 9 * hidden)];
  const flops = 2 * pixels * (9 * inputs * hidden + hidden * hidden + 9 * hidden * outputs);
  const three = (activation) => [9, ...attributes(side, 3, activation)];
  const layers = [3, ...three(1), 1, ...attributes(side, 1, 1), ...three(0)];
  const label = `${images}x${side}x${side} ${inputs}-${hidden}-${hidden}-${outputs}`;
  return [
    kernel('conv_stack', label, { flops }, () => {
      const [one, two, last] = weights();
      return [
        [rows(inputs), null, one, vector(hidden), two, vector(hidden), last, vector(outputs)],
        [rows(hidden), rows(hidden), rows(outputs)],
        layers,
      ];
    }),
    kernel('conv_stack_grad', label, { flops: 2 * flops }, () => {
      const [one, two, last] = weights();
      const [dOne, dTwo, dLast] = weights();
      return [
        [rows(outputs), rows(inputs), one, rows(hidden), two, rows(hidden), last, null],
        [rows(inputs), null, dOne, vector(hidden), dTwo, vector(hidden), dLast, vector(outputs)],
        layers,
      ];
    }),
  ];
}

/** Each of `networks`, [side, inputs, hidden, how many], forward and backward. */
function networks(name, list) {
  let made = [];
  let program = null;
  const flops = list.reduce((total, [side, inputs, hidden, count]) => {
    const products = 9 * inputs * hidden + hidden * hidden + 9 * hidden * 2 * inputs;
    return total + count * 3 * 2 * images * side * side * products;
  }, 0);
  return {
    name: `conv:${name}`,
    peer: { name: `conv:${name}`, variants: ['eager', 'channels-last', 'compile'] },
    setUp() {
      made = list.flatMap(([side, inputs, hidden, count]) =>
        Array.from({ length: count }, () => ({
          network: new flow.ConvNet({
            image: { height: side, width: side },
            ...{ inputs, outputs: 2 * inputs, hidden, zeroInitialized: false, outputScale: false },
          }),
          x: matrix(images * side * side, inputs),
          weight: matrix(images * side * side, 2 * inputs),
        })),
      );
      const leaves = made.flatMap(({ network, x }) => [x, ...network.parameters()]);
      program = record(() =>
        scope(() => {
          const loss = () =>
            made
              .map(({ network, x, weight }) => flow.sum(flow.mul(network.apply(x), weight)))
              .reduce((a, b) => flow.add(a, b));
          const { value, gradients } = valueAndGradient(loss, leaves);
          return [value, ...gradients];
        }),
      );
      return () => program.run();
    },
    rates: (ms, { ours }) => ({ gflops: flops / ms / 1e6, bestGflops: flops / ours.min / 1e6 }),
    dispose() {
      program.dispose();
      for (const { network, x, weight } of made)
        for (const one of [network, x, weight]) one.dispose();
    },
  };
}

const all = (hidden, count) => levels.map(([side, inputs]) => [side, inputs, hidden, count]);

export const convolutionCases = [
  networks('glow', all(128, 8)),
  networks('glow-wide', all(512, 4)),
  ...levels.map(([side, inputs], level) => networks(`level${level + 1}`, [[side, inputs, 128, 1]])),
  ...levels.flatMap(([side, inputs]) => stacks(side, inputs, 128)),
  ...[128, 512].flatMap((hidden) =>
    levels.flatMap(([side, inputs]) => coupling(side, inputs, hidden)),
  ),
];

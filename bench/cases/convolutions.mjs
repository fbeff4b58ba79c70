// The convolutions of the cases glow (hidden 128) and glow-wide (512): 16 images, three levels, 3×3 → 1×1 → 3×3.
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

export const convolutionCases = [128, 512].flatMap((hidden) =>
  levels.flatMap(([side, inputs]) => coupling(side, inputs, hidden)),
);

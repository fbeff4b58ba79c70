// Kernels of products: matrices, masked layers, small networks, the incremental inverse.
import { byKernels, matrix, program, vector, words } from '../../instruction.mjs';

import { kernel } from './kernel.mjs';
import { D, f64, H, hidden, N } from './sizes.mjs';

/** Extents of a MADE's layer with sequential degrees 1 … D − 1: unit o sees the inputs of its degree and below. */
function staircase(units, inputs) {
  const degree = (unit, count) => Math.floor((unit * (D - 1)) / count);
  const upTo = (g) => {
    let count = 0;
    while (count < inputs && degree(count, inputs) <= g) count++;
    return count;
  };
  return Array.from({ length: units }, (_, o) => upTo(degree(o, units)));
}
const extents = staircase(H, H);
const seen = extents.reduce((total, extent) => total + extent, 0);
const extentVector = (values = extents) =>
  vector(values.length, { dtype: 'int32', fill: (i) => values[i] });
const weight = (units = H, inputs = H, options = {}) =>
  matrix(units, inputs, { scale: 1 / Math.sqrt(inputs), ...options });

// A multiply-add is two operations; what the mask removes is not counted.
const dense = { flops: 2 * N * H * H };
const masked = { flops: 2 * N * seen };
const relu = [1, 0];
export const products = [
  kernel('matmul', `${N}x${H}x${H}`, dense, () => [[hidden(), weight()], [hidden()], [0, 0]]),
  kernel('matmul', `of the weight gradient ${N}x${H}x${H}`, dense, () => [
    [hidden(), hidden()],
    [weight()],
    [1, 0],
  ]),
  kernel('matmul', `of the weight gradient ${4 * N}x${H}x${H}`, { flops: 4 * dense.flops }, () => [
    [matrix(4 * N, H), matrix(4 * N, H)],
    [weight()],
    [1, 0],
  ]),
  kernel('linear', `${16 * N}x${H}x${H}`, { flops: 16 * dense.flops }, () => [
    [matrix(16 * N, H), weight(), vector(H), null],
    [matrix(16 * N, H)],
    relu,
  ]),
  kernel('linear', `${N}x${H}x${H}`, dense, () => [
    [hidden(), weight(), vector(H), null],
    [hidden()],
    relu,
  ]),
  kernel('linear', `${N}x${D}x${H}`, { flops: 2 * N * D * H }, () => [
    [matrix(N, D), weight(H, D), vector(H), null],
    [hidden()],
    relu,
  ]),
  kernel('linear', `f64 ${N}x${H}x${H}`, { ...dense, peak: 'fma-f64' }, () => [
    [hidden(f64), weight(H, H, f64), vector(H, f64), null],
    [hidden(f64)],
    relu,
  ]),
  kernel('linear', '128x1024x1568', { flops: 2 * 128 * 1024 * 1568 }, () => [
    [matrix(128, 1024), weight(1568, 1024), vector(1568), null],
    [matrix(128, 1568)],
    [0, 0],
  ]),
  kernel('masked_linear', `${N}x${H}x${H}`, masked, () => [
    [hidden(), weight(), vector(H), null, extentVector()],
    [hidden()],
    relu,
  ]),
  kernel('masked_linear_grad_input', `${N}x${H}x${H}`, masked, () => [
    [hidden(), weight(), extentVector()],
    [hidden()],
  ]),
  kernel('masked_linear_grad_weight', `${N}x${H}x${H}`, masked, () => [
    [hidden(), hidden(), extentVector()],
    [weight()],
  ]),
];

// The network of a coupling of the case realnvp, 32 → 256 → 256 → 64, and its backward pass with all gradients.
const mlpSizes = [
  [256, 32],
  [256, 256],
  [64, 256],
];
const mlpFlops = mlpSizes.reduce((total, [units, inputs]) => total + 2 * N * units * inputs, 0);
const mlpWeights = (each) =>
  mlpSizes.flatMap(([units, inputs]) => each(weight(units, inputs), units));
export const mlps = [
  kernel('mlp', `${N}x32 2x256`, { flops: mlpFlops }, () => [
    [matrix(N, 32), null, ...mlpWeights((own, units) => [own, vector(units), null])],
    [matrix(N, 256), matrix(N, 256), matrix(N, 64)],
    relu,
  ]),
  kernel('mlp_grad', `${N}x32 2x256`, { flops: 2 * mlpFlops }, () => [
    [
      ...[matrix(N, 64), matrix(N, 32), null, ...mlpWeights((own) => [own, null])],
      ...[matrix(N, 256), matrix(N, 256)],
    ],
    [matrix(N, 32), null, ...mlpWeights((own, units) => [own, vector(units)])],
    relu,
  ]),
];

// One MADE of the case maf, 63 → 512 → 512 → 126. The kernels compute each unit once; the plain loops make D passes, as
// every library does. The operations are those of one pass.
const layers = [
  [H, D, Array.from({ length: H }, (_, o) => Math.floor((o * (D - 1)) / H) + 1)],
  [H, H, extents],
  [
    2 * D,
    H,
    Array.from(
      { length: 2 * D },
      (_, r) =>
        staircase(H, H).filter((_, k) => Math.floor((k * (D - 1)) / H) + 1 <= r >> 1).length,
    ),
  ],
];
const once = layers.flatMap(([, , seenBy]) => seenBy).reduce((a, b) => a + b, 0);
const network = (bias) =>
  layers.flatMap(([units, inputs, seenBy]) => [
    weight(units, inputs),
    bias(units),
    extentVector(seenBy),
  ]);
const scale = [1, 0, 1, 1, 0]; // relu; tanh with bound 1; not residual
const inverse = (rows, options) =>
  kernel(
    'made_inverse',
    `${rows}x${D} 2x${H}`,
    { flops: 2 * rows * once },
    () => [
      [matrix(rows, D), null, null, ...network((units) => vector(units))],
      [matrix(rows, D), vector(rows, f64)],
      scale,
    ],
    options,
  );
export const incremental = [
  inverse(16),
  inverse(1000, { reference: false }),
  kernel('made_inverse_grad', `16x${D} 2x${H}`, { flops: 2 * 16 * once }, () => [
    [
      matrix(16, D),
      matrix(16, 2 * D),
      matrix(16, D),
      vector(16, f64),
      null,
      ...network(() => null),
      matrix(16, H),
      matrix(16, H),
    ],
    [matrix(16, D), matrix(16, 2 * D), matrix(16, H), matrix(16, H)],
    scale,
  ]),
];

/** Forward (bias, relu), and backward: gate and bias gradient, input gradient, weight gradient. */
function layerPasses(tensors) {
  const { x, w, b, y, dy, dz, db, dx, dw, mask } = tensors;
  const gate = words('activation_grad', [dy, y], [dz, db], [1, 0, 1, 3]);
  return {
    dense: program(
      words('linear', [x, w, b, null], [y], relu),
      gate,
      words('matmul', [dz, w], [dx], [0, 0]),
      words('matmul', [dz, x], [dw], [1, 0]),
    ),
    masked: program(
      words('masked_linear', [x, w, b, null, mask], [y], relu),
      gate,
      words('masked_linear_grad_input', [dz, w, mask], [dx]),
      words('masked_linear_grad_weight', [dz, x, mask], [dw]),
    ),
  };
}

/** A whole masked layer against the same one without a mask: the mask leaves (1 + 1/62)/2 of the products. */
export function maskedLayer() {
  let tensors = {};
  return {
    name: `masked:${N}x${H}x${H}`,
    setUp() {
      tensors = {
        ...{ x: hidden(), w: weight(), b: vector(H), y: hidden(), dy: hidden(), dz: hidden() },
        ...{ db: vector(H), dx: hidden(), dw: weight(), mask: extentVector() },
      };
      const passes = layerPasses(tensors);
      return {
        run: byKernels(passes.masked),
        against: [{ name: 'dense', run: byKernels(passes.dense) }],
      };
    },
    rates: (ms, { ours, against }) => ({
      denseMs: against.dense.median,
      toDense: ms / against.dense.median,
      toDenseBest: ours.min / against.dense.min,
    }),
    dispose() {
      for (const tensor of Object.values(tensors)) tensor.dispose();
    },
  };
}

// One row a kernel: what it costs, counted in the comment, and its operands. Each is run against its plain loop
// (native/reference: one thread, compiled without vector instructions) and against what the machine can do at most,
// measured between the turns: fused multiply-adds for products, copy or triad over as many bytes for the rest.
// bench/README.md says how to read the numbers.
import {
  byKernels,
  byPlainLoops,
  indices,
  matrix,
  native,
  peakKinds,
  program,
  triangle,
  vector,
  words,
} from '../instruction.mjs';

/** The sizes of the case maf: a batch of 256 rows, 512 hidden units, 63 features. */
const N = 256;
const H = 512;
const D = 63;

/** G-operations or GB a second, and which share of the peak the best run had. */
function rates({ flops, bytes }, ms, { ours, peak }) {
  const amount = flops ?? bytes;
  return {
    [flops ? 'gflops' : 'gbs']: amount / ms / 1e6,
    peak,
    peakShare: amount / ours.min / 1e6 / peak,
  };
}

function probeOf({ flops, bytes = 0, touched = bytes, peak = flops ? 'fma-f32' : 'triad' }) {
  return () => native.measurePeak(peakKinds[peak], touched);
}

/**
 * @param label sizes, behind the name of the op
 * @param make gives [inputs, outputs, attributes]
 * @param cost { flops } or { bytes }, and `peak`, a name of peakKinds: default fma-f32, or triad for bytes; `touched`: bytes
 *   of the arrays, where some of them are read and written
 */
export function kernel(op, label, cost, make, { reference = true } = {}) {
  let operands = [];
  return {
    name: `kernel:${op} ${label}`,
    op,
    cost,
    setUp() {
      operands = make();
      const instruction = words(op, ...operands);
      return {
        run: byKernels(instruction),
        against: reference ? [{ name: 'reference', run: byPlainLoops(instruction) }] : [],
        probe: probeOf(cost),
      };
    },
    rates: (ms, result) => ({
      ...rates(cost, ms, result),
      ...(reference && {
        referenceMs: result.against.reference.median,
        speedup: result.against.reference.median / ms,
      }),
    }),
    dispose() {
      for (const tensor of operands.slice(0, 2).flat()) tensor?.dispose();
    },
  };
}

const f64 = { dtype: 'float64' };
const int32 = { dtype: 'int32' };
const positive = { fill: (i) => 0.1 + ((i * 7919) % 1000) / 1000 };
const hidden = (options) => matrix(N, H, options);
/** Bytes of `count` float32 matrices of N × H. */
const each = (count) => ({ bytes: count * N * H * 4 });
const size = `${N}x${H}`;

// Element by element: an input or an output is 4 bytes an element, read or written once.
const kinds = { exp: 5, log: 7, tanh: 9, sigmoid: 10, softplus: 12, sin: 16, erf: 18 };
const elementwise = [
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
const sums = [
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
const moves = [
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
const random = [
  kernel('random_uniform', size, { ...each(1), peak: 'copy' }, () => [[], [hidden(), counter()]]),
  kernel('random_normal', size, { ...each(1), peak: 'copy' }, () => [[], [hidden(), counter()]]),
  kernel('random_bernoulli', size, each(2), () => [[hidden(positive)], [hidden(), counter()]]),
];

// x, pairs (mu, raw) and y; in a gradient pairs, y, dL_dy, dL_dx and pairs. tanh with bound 1.
const pairs = () => matrix(N, 2 * D);
const affine = ['', '_inverse'].flatMap((suffix) => [
  kernel(`autoregressive_affine${suffix}`, `${N}x${D}`, { bytes: 4 * N * D * 4 }, () => [
    [matrix(N, D), pairs()],
    [matrix(N, D), vector(N, f64)],
    [1, 1],
  ]),
  kernel(`autoregressive_affine${suffix}_grad`, `${N}x${D}`, { bytes: 7 * N * D * 4 }, () => [
    [pairs(), matrix(N, D), matrix(N, D), vector(N, f64)],
    [matrix(N, D), pairs()],
    [1, 1],
  ]),
]);

// DSF with 8 sigmoids: x, y and 24 parameters a dimension; the gradient writes as many.
const dsf = [0, 8, 1, 1, 1e-3];
const sigmoids = () => matrix(N, 24 * D);
const apart = { reference: false };
const roots = () => [
  matrix(N, D),
  vector(N, f64),
  vector(N, int32),
  vector(N, f64),
  vector(N, int32),
];
const increasing = [
  kernel(
    'monotone',
    `dsf ${N}x${D}`,
    { bytes: 26 * N * D * 4 },
    () => [[matrix(N, D), sigmoids()], [matrix(N, D), vector(N, f64)], dsf],
    apart,
  ),
  kernel(
    'monotone_grad',
    `dsf ${N}x${D}`,
    { bytes: 51 * N * D * 4 },
    () => [
      [matrix(N, D), sigmoids(), matrix(N, D), vector(N, f64)],
      [matrix(N, D), sigmoids()],
      dsf,
    ],
    apart,
  ),
  kernel(
    'monotone_inverse',
    `dsf ${N}x${D}`,
    { bytes: 26 * N * D * 4 },
    () => [[matrix(N, D), sigmoids()], roots(), dsf],
    apart,
  ),
];

/**
 * A coupling of half of C columns. Forward reads x and params (shift and raw: C columns) and writes y. The gradient reads of x
 * the transformed half, of params the raw half, and dL_dy, and writes dL_dx and dL_dparams. Additive has no raw.
 */
function couplings(rows, C, scale, { name, probe, options = {} }) {
  const additive = scale === 0;
  const params = () => matrix(rows, additive ? C / 2 : C);
  const moved = additive ? [2.5, 3] : [3, 4];
  const attributes = [scale, 2, C / 2, 1, 0, 0];
  const sides = [() => matrix(rows, C), params];
  const size = `${name} ${rows}x${C}`;
  return ['', '_inverse'].flatMap((suffix) => [
    kernel(
      `affine_coupling${suffix}`,
      size,
      { bytes: moved[0] * rows * C * 4, peak: probe },
      () => [
        [...sides.map((make) => make()), null],
        [matrix(rows, C), vector(rows, f64)],
        attributes,
      ],
      options,
    ),
    kernel(
      `affine_coupling${suffix}_grad`,
      size,
      { bytes: moved[1] * rows * C * 4, peak: probe },
      () => [
        [...sides.map((make) => make()), null, matrix(rows, C), vector(rows, f64)],
        [matrix(rows, C), params(), null],
        attributes,
      ],
      options,
    ),
  ]);
}
const coupling = [
  ...couplings(N, 64, 3, { name: 'sigmoid', probe: 'triad' }),
  // The rows that have a goal: ≥ 60 % of the machine's copy bandwidth, beyond every cache (192 and 256 MiB).
  ...couplings(262144, 64, 3, { name: 'sigmoid', probe: 'copy', options: { reference: false } }),
  ...couplings(262144, 64, 2, { name: 'tanh', probe: 'copy', options: { reference: false } }),
  ...couplings(262144, 64, 0, { name: 'additive', probe: 'copy', options: { reference: false } }),
  kernel('checkerboard', '16x32x32x3', { bytes: 2 * 16 * 1024 * 3 * 4, peak: 'copy' }, () => [
    [matrix(16 * 1024, 3)],
    [matrix(16 * 1024, 3)],
    [1024, 32, 0],
  ]),
];

// A model of 2²⁰ parameters. Adam reads gradient, parameter and two moments and writes three of them.
const P = 1 << 20;
const parameters = (options) => vector(P, { scale: 0.1, ...options });
const state = (...values) => vector(values.length, { ...f64, fill: (i) => values[i] });
const optimizers = [
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
const products = [
  kernel('matmul', `${N}x${H}x${H}`, dense, () => [[hidden(), weight()], [hidden()], [0, 0]]),
  kernel('matmul', `of the weight gradient ${N}x${H}x${H}`, dense, () => [
    [hidden(), hidden()],
    [weight()],
    [1, 0],
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
const mlps = [
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
const incremental = [
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
function maskedLayer() {
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

const rows = 4096;
/** factors, log|s|, signs, permutation. */
const lu = (n) => [
  triangle(n),
  vector(n, { scale: 0.3 }),
  vector(n, { fill: (i) => (i % 2 ? 1 : -1) }),
  vector(n, { dtype: 'int32', fill: (i) => n - 1 - i }),
];
const linearAlgebra = [
  // A multiply-add for each entry of the triangle and each row.
  ...[32, 128, 512].map((n) =>
    kernel('triangular_solve', `${rows}x${n}`, { flops: rows * n * n }, () => [
      [triangle(n), matrix(rows, n)],
      [matrix(rows, n)],
      [0, 0, 0, 0],
    ]),
  ),
  kernel('triangular_solve', `left 128x${rows}`, { flops: rows * 128 * 128 }, () => [
    [triangle(128), matrix(128, rows)],
    [matrix(128, rows)],
    [1, 1, 0, 0],
  ]),
  kernel('triangular_solve_grad', `${rows}x128`, { flops: rows * 128 * 128 }, () => [
    [matrix(rows, 128), matrix(rows, 128)],
    [matrix(128, 128)],
    [0, 0, 0, 0],
  ]),
  // NSF: 63 features of 23 numbers each; what is read and written.
  ...[0, 1].flatMap((inverse) => [
    kernel(
      'spline',
      `${inverse ? 'inverse ' : ''}256x63, 8 bins`,
      { bytes: 256 * 63 * 25 * 4 },
      () => [
        [matrix(256, 63), matrix(256, 63 * 23)],
        [matrix(256, 63), vector(256, f64)],
        [0, 0, 8, -3, 3, 1e-3, 1e-3, 1e-3, inverse],
      ],
    ),
    kernel(
      'spline_grad',
      `${inverse ? 'inverse ' : ''}256x63, 8 bins`,
      { bytes: 256 * 63 * 49 * 4 },
      () => [
        [matrix(256, 63), matrix(256, 63 * 23), matrix(256, 63), vector(256, f64)],
        [matrix(256, 63), matrix(256, 63 * 23)],
        [0, 0, 8, -3, 3, 1e-3, 1e-3, 1e-3, inverse],
      ],
    ),
  ]),
  // The middle of a Sylvester flow of 64 samples' own parameters: two triangles of 32 rows; inverse: 32 roots each.
  ...[0, 1].flatMap((inverse) => [
    kernel('sylvester', `${inverse ? 'inverse ' : ''}256x32`, { flops: 256 * 2 * 32 * 32 }, () => [
      [matrix(256, 32), matrix(256, 32 * 35)],
      [matrix(256, 32), vector(256, f64), ...(inverse ? [null, null, null] : [])],
      [inverse],
    ]),
    kernel(
      'sylvester_grad',
      `${inverse ? 'inverse ' : ''}256x32`,
      { flops: 256 * 6 * 32 * 32 },
      () => [
        [matrix(256, 32), matrix(256, 32 * 35), matrix(256, 32), vector(256, f64)],
        [matrix(256, 32), matrix(256, 32 * 35)],
        [inverse],
      ],
    ),
  ]),
  // Two thirds of n³ multiply-adds a determinant, 2n³ with the inverse.
  kernel(
    'batch_inverse',
    `${rows} of 12x12`,
    { flops: 4 * rows * 12 ** 3, peak: 'fma-f64' },
    () => [[matrix(12 * rows, 12)], [matrix(12 * rows, 12), vector(rows, f64)], []],
  ),
  // Five taps of 12 × 12 a pixel; 16 images.
  kernel('wavefront_solve', '16x16x16x12', { flops: 2 * 16 * 256 * 12 * (4 * 12 + 6) }, () => [
    [
      matrix(16 * 256, 12),
      matrix(12, 108, {
        fill: (i) => (i % 108 === 48 + Math.floor(i / 108) ? 1 : 0.01 * ((i % 7) - 3)),
      }),
    ],
    [matrix(16 * 256, 12)],
    [2, 1, 1, 0, 16, 16, 9, 0, 0, ...[0, -1, -1, 1, -1, 0, 2, -1, 1, 3, 0, -1, 4, 0, 0]],
  ]),
  kernel(
    'block_matmul',
    '16 rows of 144 blocks of 24x24',
    { flops: 2 * 16 * 144 * 24 * 24 },
    () => [[matrix(16, 144 * 24), matrix(144 * 24, 24)], [matrix(16, 144 * 24)], [144, 0]],
  ),
  // Four terms through 63 → 128 → 128 → 63.
  kernel('residual_series', `${rows}x63`, { flops: 8 * rows * (2 * 63 * 128 + 128 * 128) }, () => [
    [
      matrix(rows, 63),
      matrix(1, 4, { ...f64, fill: () => 1 }),
      ...[matrix(128, 63), null],
      ...[matrix(128, 128), matrix(rows, 128)],
      ...[matrix(63, 128), matrix(rows, 128)],
    ],
    [matrix(rows, 63), vector(rows, f64)],
    [1, 0, 0, 0],
  ]),
  // Forward: a third of n³ multiply-adds; backward: two triangles of products with a triangle.
  ...[12, 48, 96].flatMap((n) => [
    kernel('lu_compose', `${n}x${n}`, { flops: (2 * n ** 3) / 3 }, () => [
      lu(n),
      [matrix(n, n)],
      [0],
    ]),
    kernel('lu_compose_grad', `${n}x${n}`, { flops: (4 * n ** 3) / 3 }, () => [
      [...lu(n), matrix(n, n)],
      [matrix(n, n), vector(n)],
      [0],
    ]),
    ...['', ' by substitution', ' by the inverse'].map((label, method) =>
      kernel('lu_solve', `${rows}x${n}${label}`, { flops: 2 * rows * n * n }, () => [
        [matrix(rows, n), ...lu(n), vector(n)],
        [matrix(rows, n)],
        [0, 0, method],
      ]),
    ),
    kernel('lu_factor', `${n}x${n}`, { flops: (2 * n ** 3) / 3, peak: 'fma-f64' }, () => [
      [matrix(n, n)],
      [matrix(n, n, f64), indices(n, n), vector(1, f64), vector(1, f64)],
    ]),
  ]),
];

/** What the machine can do at most. */
function peakCase(name, kind, bytes, unit) {
  let best = 0;
  return {
    name: `peak:${name}`,
    setUp: () => () => {
      best = Math.max(best, native.measurePeak(peakKinds[kind], bytes));
    },
    rates: () => ({ [unit]: best }),
  };
}

const peaks = [
  peakCase('fma-f32', 'fma-f32', 0, 'gflops'),
  peakCase('fma-f64', 'fma-f64', 0, 'gflops'),
  ...['copy', 'triad', 'update'].flatMap((kind) =>
    [
      ['32KiB', 2 ** 15],
      ['1MiB', 2 ** 20],
      ['256MiB', 2 ** 28],
    ].map(([label, bytes]) => peakCase(`${kind} ${label}`, kind, bytes, 'gbs')),
  ),
];

const gemm = products[2];

export const kernelCases = [
  ...peaks,
  // The two rows that have a goal: ≥ 75 % of the peak on one thread; ≤ 0.6 of dense.
  { ...gemm, name: `gemm:${N}x${H}x${H}`, threads: 1 },
  maskedLayer(),
  ...products,
  ...mlps,
  ...linearAlgebra,
  ...incremental,
  ...affine,
  ...increasing,
  ...coupling,
  ...elementwise,
  ...sums,
  ...moves,
  ...random,
  ...optimizers,
];

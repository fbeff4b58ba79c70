// Kernels of transformers and couplings.
import { matrix, vector } from '../../instruction.mjs';

import { kernel } from './kernel.mjs';
import { D, f64, int32, N } from './sizes.mjs';

// x, pairs (mu, raw) and y; in a gradient pairs, y, dL_dy, dL_dx and pairs. tanh with bound 1.
const pairs = () => matrix(N, 2 * D);
export const affine = ['', '_inverse'].flatMap((suffix) => [
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
/** Block triangular, positive on the diagonal. */
const blocks = (units, before) =>
  matrix(units * D, before * D, {
    fill: (i) => {
      const [row, col] = [Math.floor(i / (before * D)), i % (before * D)];
      const [r, c] = [Math.floor(row / units), Math.floor(col / before)];
      return r === c ? 0.3 : r > c ? 0.01 * ((i % 7) - 3) : 0;
    },
  });
export const increasing = [
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
  // 8 and 8 units a dimension: what is on and below the diagonal, once.
  kernel(
    'block_inverse',
    `${N}x${D} ${D}x(8, 8)`,
    { flops: N * D * (D + 1) * (8 + 64 + 8) },
    () => [
      [
        ...[matrix(N, D), null, matrix(1, 1)],
        ...[blocks(8, 1), vector(8 * D), blocks(8, 8), vector(8 * D), blocks(1, 8), vector(D)],
      ],
      roots(),
      [],
    ],
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
export const coupling = [
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

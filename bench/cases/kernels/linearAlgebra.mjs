// Kernels of linear algebra, splines and residual maps.
import { indices, matrix, triangle, vector } from '../../instruction.mjs';

import { kernel } from './kernel.mjs';
import { f64 } from './sizes.mjs';

const rows = 4096;
/** factors, log|s|, signs, permutation. */
const lu = (n) => [
  triangle(n),
  vector(n, { scale: 0.3 }),
  vector(n, { fill: (i) => (i % 2 ? 1 : -1) }),
  vector(n, { dtype: 'int32', fill: (i) => n - 1 - i }),
];
const layers = () => Array.from({ length: 12 });
/** Weight, bias, log-scale, gain. */
const layer = (what) =>
  what === 'scales'
    ? [matrix(64, 64), vector(64), vector(64, { scale: 0.1 }), null]
    : [matrix(64, 64), null, null, vector(64)];

function levels() {
  const sides = [12, 24, 48].flatMap((n) => [n, n, n, n]);
  const cubes = sides.reduce((sum, n) => sum + n ** 3, 0);
  const forms = sides.map(() => 0);
  const name = '12 of 12x12 to 48x48';
  const made = () => [
    sides.flatMap(lu),
    sides.flatMap((n) => [matrix(n, n), vector(1, f64)]),
    forms,
  ];
  return [
    kernel('lu_compose', name, { flops: (2 * cubes) / 3 }, made),
    kernel('lu_inverse', name, { flops: 2 * cubes }, made),
    kernel('lu_compose_grad', name, { flops: (4 * cubes) / 3 }, () => [
      sides.flatMap((n) => [...lu(n), matrix(n, n), vector(1, f64)]),
      sides.flatMap((n) => [matrix(n, n), vector(n)]),
      forms,
    ]),
  ];
}

export const linearAlgebra = [
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
  // The matrices of a Glow of three scales of four steps: forward, backward, inverted.
  ...levels(),
  // A small Glow's weights with their scales, and a small RealNVP's with their norms.
  ...['scales', 'norms'].flatMap((what) => [
    kernel('scale_weights', `12 of 64x64, ${what}`, { bytes: 12 * 64 * 64 * 8 }, () => [
      layers().flatMap(() => layer(what)),
      layers().flatMap(() => [matrix(64, 64), what === 'scales' ? vector(64) : null]),
      [3],
    ]),
    kernel('scale_weights_grad', `12 of 64x64, ${what}`, { bytes: 12 * 64 * 64 * 12 }, () => [
      layers().flatMap(() => [
        ...layer(what),
        matrix(64, 64),
        what === 'scales' ? vector(64) : null,
      ]),
      layers().flatMap(() => [
        matrix(64, 64),
        ...(what === 'scales' ? [vector(64), vector(64), null] : [null, null, vector(64)]),
      ]),
      [3],
    ]),
  ]),
  // Forward: a third of n³ multiply-adds; backward: two triangles of products with a triangle.
  ...[12, 48, 96].flatMap((n) => [
    kernel('lu_compose', `${n}x${n}`, { flops: (2 * n ** 3) / 3 }, () => [
      lu(n),
      [matrix(n, n), null],
      [0],
    ]),
    kernel('lu_compose_grad', `${n}x${n}`, { flops: (4 * n ** 3) / 3 }, () => [
      [...lu(n), matrix(n, n), null],
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

import { wavefrontSolve } from '../../lib/ops';
import type { OpCase, OpContract, Values } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import { solve } from '../reference/linalg';

interface Kind {
  readonly kernel: readonly [number, number];
  readonly taps: readonly number[];
  readonly direction: readonly [number, number];
  readonly lower: boolean;
  readonly transpose: boolean;
}

/** The matrix [P·C, P·C] of the convolution on one image. */
function matrixOf(w: Float64Array, c: number, height: number, width: number, kind: Kind) {
  const [kh, kw] = kind.kernel;
  const size = height * width * c;
  const matrix = new Float64Array(size * size);
  for (let p = 0; p < height * width; p++)
    for (const place of kind.taps) {
      const dy = Math.floor(place / kw) - Math.floor((kh - 1) / 2);
      const dx = (place % kw) - Math.floor((kw - 1) / 2);
      const [h, x] = [Math.floor(p / width) + dy, (p % width) + dx];
      if (h < 0 || h >= height || x < 0 || x >= width) continue;
      for (let o = 0; o < c; o++)
        for (let i = 0; i < c; i++) {
          const isOwn = dy === 0 && dx === 0;
          if (isOwn && (kind.lower ? i > o : i < o)) continue;
          const [row, col] = [p * c + o, (h * width + x) * c + i];
          matrix[kind.transpose ? col * size + row : row * size + col] =
            w[(o * kh * kw + place) * c + i]!;
        }
    }
  return matrix;
}

/** Large on the diagonal of the own pixel, so that the solution stays small. */
const dominant =
  (c: number, places: number, own: number): Values =>
  (draw, length) =>
    draw(length, 0.5 / Math.sqrt(c)).map((value, k) => {
      const [o, place, i] = [Math.floor(k / c / places), Math.floor(k / c) % places, k % c];
      return place === own && o === i ? (o % 2 ? -1.5 : 1.2) + value : value;
    });

function solveCase(images: number, height: number, width: number, c: number, kind: Kind): OpCase {
  const [kh, kw] = kind.kernel;
  const own = Math.floor((kh - 1) / 2) * kw + Math.floor((kw - 1) / 2);
  const pixels = height * width;
  const { direction, lower, transpose, kernel, taps } = kind;
  return {
    name: `${images} × ${height} × ${width} × ${c}, ${kernel.join(' × ')} along (${direction.join(', ')}), ${lower ? 'lower' : 'upper'}${transpose ? ', transposed' : ''}`,
    inputs: [
      { shape: [images * pixels, c] },
      { shape: [c, kh * kw * c], values: dominant(c, kh * kw, own), viewable: false },
    ],
    run: (y, weight) =>
      wavefrontSolve(y!, weight!, { height, width, kernel, taps, direction, lower, transpose }),
    expected: (y, weight) => {
      const matrix = matrixOf(weight!, c, height, width, kind);
      const size = pixels * c;
      return {
        shape: [images * pixels, c],
        values: Array.from({ length: images }, (_, n) => [
          ...solve(matrix, y!.slice(n * size, (n + 1) * size), size),
        ]).flat(),
      };
    },
    // A substitution of some ten pixels deep, each a sum of taps·c terms.
    units: 256,
    gradientUnits: 1024,
    second: 'unsupported',
  };
}

/** Before the pixel in raster order, and the same turned by 90, 180 and 270 degrees. */
const turns: readonly Omit<Kind, 'kernel' | 'lower' | 'transpose'>[] = [
  { taps: [0, 1, 2, 3, 4], direction: [2, 1] },
  { taps: [1, 2, 4, 5, 8], direction: [1, -2] },
  { taps: [4, 5, 6, 7, 8], direction: [-2, -1] },
  { taps: [0, 3, 4, 6, 7], direction: [-1, 2] },
];

export const contract: OpContract = {
  module: 'wavefrontSolve',
  native: ['wavefront_solve'],
  cases: [
    ...turns.map((turn, k) =>
      solveCase(2, 3, 4, 2, { ...turn, kernel: [3, 3], lower: k < 2, transpose: k % 2 === 1 }),
    ),
    solveCase(9, 2, 3, 5, { ...turns[2]!, kernel: [3, 3], lower: true, transpose: true }),
    solveCase(3, 2, 2, 3, { ...turns[0]!, kernel: [3, 3], lower: false, transpose: false }),
    // No tap but the own pixel: triangular solves.
    solveCase(40, 1, 1, 4, {
      kernel: [1, 1],
      taps: [0],
      direction: [1, 1],
      lower: true,
      transpose: false,
    }),
  ],
  errors: [
    {
      name: 'a tap ahead',
      run: () =>
        wavefrontSolve(f32([4, 1]), f32([1, 9]), {
          ...{ height: 2, width: 2, kernel: [3, 3], taps: [3, 4, 5] },
          ...{ direction: [2, 1], lower: true },
        }),
      code: 'ARGUMENT',
      says: /\[wavefrontSolve\] taps: expected steps back along \(2, 1\), got \(0, 1\)/,
    },
    {
      name: 'without the own pixel',
      run: () =>
        wavefrontSolve(f32([4, 1]), f32([1, 9]), {
          ...{ height: 2, width: 2, kernel: [3, 3], taps: [3] },
          ...{ direction: [2, 1], lower: true },
        }),
      code: 'ARGUMENT',
      says: /taps: expected the own pixel among them, got 1 others/,
    },
    {
      name: 'a zero on the diagonal',
      run: () =>
        wavefrontSolve(f32([4, 1]), f32([1, 1]), {
          ...{ height: 2, width: 2, kernel: [1, 1], direction: [2, 1], lower: true },
        }),
      code: 'NATIVE',
      byData: true,
      says: /\[wavefront_solve\] weight: expected no zero on the diagonal of the tap \(0, 0\)/,
    },
  ],
};

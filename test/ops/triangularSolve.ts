import { triangularSolve } from '../../lib/ops';
import { tensorOfArray } from '../../lib/tensor/tensor';
import type { OpCase, OpContract, Values } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import * as reference from '../reference/triangular';

const flags = [false, true];
const forms: readonly reference.TriangularForm[] = (['right', 'left'] as const).flatMap((side) =>
  flags.flatMap((lower) =>
    flags.flatMap((transpose) =>
      flags.map((unitDiagonal) => ({ side, lower, transpose, unitDiagonal })),
    ),
  ),
);

/**
 * Full matrices (what lies beyond the triangle must not be read) with a signed diagonal of 1 … 3 and the rest of the size
 * 1/n: so well conditioned that n terms decide on the rounding.
 */
const triangles =
  (n: number): Values =>
  (draw, length) =>
    draw(length).map((value, i) => {
      const [r, c] = [Math.floor(i / n) % n, i % n];
      return r === c ? value + (value < 0 ? -1 : 1) : value / n;
    });

const nameOf = ({ side, lower, transpose, unitDiagonal }: reference.TriangularForm) =>
  `${side}, ${lower ? 'lower' : 'upper'}${transpose ? ', transposed' : ''}${unitDiagonal ? ', unit diagonal' : ''}`;

/** `stack` matrices with their right-hand sides; `shared`: one matrix for all. */
function solveCase(
  n: number,
  m: number,
  form: reference.TriangularForm,
  stack = 0,
  shared = false,
): OpCase {
  const own = form.side === 'left' ? [n, m] : [m, n];
  const axes = stack > 0 ? [stack] : [];
  const many = Math.max(1, stack);
  return {
    name: `${nameOf(form)}, ${stack > 0 ? `${stack} × ` : ''}${m} of ${n}${shared ? ', one matrix' : ''}`,
    inputs: [
      { shape: shared ? [n, n] : [...axes, n, n], values: triangles(n) },
      { shape: [...axes, ...own] },
    ],
    run: (t, b) => triangularSolve(t!, b!, form),
    expected: (t, b) => {
      const values = new Float64Array(many * n * m);
      for (let s = 0; s < many; s++) {
        const its = shared ? t! : t!.subarray(s * n * n, (s + 1) * n * n);
        const sides = b!.subarray(s * n * m, (s + 1) * n * m);
        values.set(reference.triangularSolve(its, sides, n, m, form), s * n * m);
      }
      return { shape: [...axes, ...own], values };
    },
    // A sum of n products of the size 1/n, then a product with a rounded reciprocal, and what the unknowns before had.
    units: 16 + n / 8,
    gradientUnits: 64 + n / 4 + m,
    second: 'unsupported',
  };
}

const odd: readonly (readonly [number, number])[] = [
  [1, 1],
  [3, 1],
  [4, 5],
  [7, 17],
  [8, 16],
  [9, 3],
  [15, 49],
  [16, 129],
  [17, 2],
  [33, 31],
];

export const contract: OpContract = {
  module: 'triangularSolve',
  native: ['triangular_solve', 'triangular_solve_grad'],
  cases: [
    // Every form at one size, every size in some form; above 256 unknowns the solve is blocked.
    ...forms.map((form) => solveCase(5, 3, form)),
    ...odd.map(([n, m], k) => solveCase(n, m, forms[(5 * k + 1) % forms.length]!)),
    ...forms.filter(({ unitDiagonal }) => !unitDiagonal).map((form) => solveCase(259, 3, form)),
    solveCase(530, 2, forms[3]!),
    solveCase(65, 1023, forms[2]!),
    // More sides than a task of a blocked solve takes.
    ...[forms[4]!, forms[12]!].map((form) => ({ ...solveCase(260, 201, form), gradient: false })),
    ...forms.filter((_, k) => k % 3 === 0).map((form) => solveCase(6, 4, form, 3)),
    solveCase(6, 4, forms[4]!, 3, true),
    solveCase(6, 4, forms[12]!, 3, true),
    solveCase(270, 3, forms[8]!, 2),
    {
      name: 'rows of three axes with one matrix',
      inputs: [{ shape: [5, 5], values: triangles(5) }, { shape: [2, 3, 5] }],
      run: (t, b) => triangularSolve(t!, b!, { lower: false }),
      expected: (t, b) => ({
        shape: [2, 3, 5],
        values: reference.triangularSolve(t!, b!, 5, 6, {
          side: 'right',
          lower: false,
          transpose: false,
          unitDiagonal: false,
        }),
      }),
      units: 16,
      second: 'unsupported',
    },
    {
      // 1/2e-40 overflows float32: such a diagonal is divided by.
      name: 'a diagonal whose reciprocal overflows',
      inputs: [
        { shape: [2, 2], values: () => [2e-40, 0, 0.5, 2], constant: true },
        { shape: [1, 2], values: () => [6e-40, 4], constant: true },
      ],
      run: (t, b) => triangularSolve(t!, b!, { lower: true, transpose: true }),
      expected: (t, b) => {
        const first = b![0]! / t![0]!;
        return { shape: [1, 2], values: [first, (b![1]! - t![2]! * first) / t![3]!] };
      },
      gradient: false,
    },
  ],
  errors: [
    {
      name: 'not square',
      run: () => triangularSolve(f32([2, 3]), f32([4, 3]), { lower: true }),
      code: 'SHAPE',
      says: /\[triangularSolve\] t: expected shape \[.., n, n\], got \[2, 3\]/,
    },
    {
      name: 'columns on the right',
      run: () => triangularSolve(f32([3, 3]), f32([3, 4]), { lower: true }),
      code: 'SHAPE',
      says: /\[triangularSolve\] b: expected shape \[\.\., m, 3\] for t \[3, 3\], got \[3, 4\]/,
    },
    {
      name: 'rows on the left',
      run: () => triangularSolve(f32([3, 3]), f32([4, 3]), { lower: true, side: 'left' }),
      code: 'SHAPE',
      says: /b: expected shape \[\.\., 3, m\] for t \[3, 3\], got \[4, 3\]/,
    },
    {
      name: 'stacks',
      run: () => triangularSolve(f32([2, 3, 3]), f32([4, 5, 3]), { lower: true }),
      code: 'SHAPE',
      says: /b: expected shape \[2, m, 3\] for t \[2, 3, 3\], got \[4, 5, 3\]/,
    },
    {
      name: 'types',
      run: () => triangularSolve(f32([3, 3]), ofType([4, 3], 'float64'), { lower: true }),
      code: 'DTYPE',
      says: /\[triangularSolve\] b: expected float32, got float64/,
    },
    {
      name: 'side',
      run: () => triangularSolve(f32([3, 3]), f32([3, 3]), { lower: true, side: 'up' as 'left' }),
      code: 'ARGUMENT',
      says: /side: expected 'left' or 'right', got up/,
    },
    {
      name: 'a zero on the diagonal',
      run: () => {
        const t = tensorOfArray(
          Float32Array.of(1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 0),
          [2, 3, 3],
        );
        return triangularSolve(t, f32([2, 4, 3]), { lower: true });
      },
      code: 'NATIVE',
      says: /\[triangular_solve\] t: expected no zero on the diagonal, got 0 at \[2, 2\] of matrix 1: it is singular/,
      byData: true,
    },
  ],
};

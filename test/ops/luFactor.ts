import { luFactor, luFactorSolve } from '../../lib/ops';
import type { OpCase, OpContract, Values } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import { slogdet, solve } from '../reference/linalg';

/** Large entries beside the diagonal: well conditioned, and every step of the elimination must exchange rows. */
const pivoted =
  (n: number): Values =>
  (draw, length) =>
    draw(length).map((value, i) => {
      const [r, c] = [Math.floor(i / n), i % n];
      return c === (r + 1) % n ? value + (r % 2 ? 3 : -3) * Math.sqrt(n) : value;
    });

const sizes = [1, 2, 3, 5, 8, 17, 31, 32, 33, 65, 70];

const determinant = (n: number): OpCase => ({
  name: `log|det| and sign, ${n} × ${n}`,
  inputs: [{ shape: [n, n], values: pivoted(n) }],
  run: (w) => {
    const { logAbsDet, sign } = luFactor(w!);
    return [logAbsDet, sign];
  },
  expected: (w) => {
    const { logAbs, sign } = slogdet(w!, n);
    return [
      { shape: [], values: [logAbs], dtype: 'float64' },
      { shape: [], values: [sign], dtype: 'float64' },
    ];
  },
  // n pivots, each with the errors of the elimination.
  units: 16 + n,
  gradientUnits: 64 + 4 * n,
  second: 'unsupported',
});

const equations = (n: number, m: number, hasBias: boolean): OpCase => ({
  name: `solve, ${m} × ${n}${hasBias ? ', bias' : ''}`,
  inputs: [
    { shape: [n, n], values: pivoted(n) },
    { shape: [m, n] },
    ...(hasBias ? [{ shape: [n] }] : []),
  ],
  run: (w, y, bias) => luFactorSolve(luFactor(w!), y!, bias ?? null),
  expected: (w, y, bias) => {
    const x = new Float64Array(m * n);
    for (let r = 0; r < m; r++) {
      const right = y!.slice(r * n, (r + 1) * n).map((value, c) => value - (bias ? bias[c]! : 0));
      x.set(solve(w!, right, n), r * n);
    }
    return { shape: [m, n], values: x };
  },
  // Two substitutions with n terms, and the condition number, some ten.
  units: 64 + 4 * n,
  gradientUnits: 256 + 8 * n + m,
  second: 'unsupported',
});

export const contract: OpContract = {
  module: 'luFactor',
  native: ['lu_factor'],
  cases: [
    ...sizes.map(determinant),
    ...[1, 3, 8, 17, 33, 70].map((n, k) => equations(n, 2 * k + 3, k % 2 === 0)),
  ],
  errors: [
    {
      name: 'not square',
      run: () => luFactor(f32([2, 3])),
      code: 'SHAPE',
      says: /\[luFactor\] w: expected shape \[C, C\], got \[2, 3\]/,
    },
    {
      name: 'integers',
      run: () => luFactor(ofType([2, 2], 'int32')),
      code: 'DTYPE',
      says: /\[luFactor\] w: expected float32 or float64/,
    },
    {
      name: 'columns of the right side',
      run: () => luFactorSolve(luFactor(f32([3, 3])), f32([4, 2])),
      code: 'SHAPE',
      says: /\[luFactorSolve\] y: expected shape \[\.\., 3\], got \[4, 2\]/,
    },
    {
      name: 'a singular matrix',
      run: () => luFactorSolve(luFactor(f32([3, 3])), f32([4, 3])),
      code: 'NATIVE',
      says: /\[lu_solve\] diagonal: expected no zero, got 0 at \[2\]: the matrix is singular/,
      byData: true,
    },
  ],
};

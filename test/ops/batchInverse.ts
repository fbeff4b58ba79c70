import { batchInverse, batchLogAbsDet } from '../../lib/ops';
import type { OpCase, OpContract, Values } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import { slogdet, solve } from '../reference/linalg';

/** Large entries beside the diagonal: well conditioned, and every step of the elimination must exchange rows. */
const pivoted =
  (n: number): Values =>
  (draw, length) =>
    draw(length).map((value, i) => {
      const [r, c] = [Math.floor(i / n) % n, i % n];
      return c === (r + 1) % n ? value + (r % 2 ? 3 : -3) * Math.sqrt(n) : value;
    });

const matrices = (a: Float64Array, n: number) =>
  Array.from({ length: a.length / (n * n) }, (_, b) => a.slice(b * n * n, (b + 1) * n * n));

const determinants = (count: number, n: number): OpCase => ({
  name: `log|det|, ${count} of ${n} × ${n}`,
  inputs: [{ shape: [count * n, n], values: pivoted(n) }],
  run: (a) => batchLogAbsDet(a!),
  expected: (a) => ({
    shape: [count],
    values: matrices(a!, n).map((matrix) => slogdet(matrix, n).logAbs),
    dtype: 'float64',
  }),
  // n pivots, each with the errors of the elimination.
  units: 16 + n,
  gradientUnits: 64 + 4 * n,
  second: 'unsupported',
});

const inverses = (count: number, n: number): OpCase => ({
  name: `inverse, ${count} of ${n} × ${n}`,
  inputs: [{ shape: [count * n, n], values: pivoted(n) }],
  run: (a) => {
    const { inverseTransposed, logAbsDet } = batchInverse(a!);
    return [inverseTransposed, logAbsDet];
  },
  expected: (a) => [
    {
      shape: [count * n, n],
      values: matrices(a!, n).flatMap((matrix) =>
        Array.from({ length: n }, (_, r) => {
          const unit = Float64Array.from({ length: n }, (_, c) => (c === r ? 1 : 0));
          return [...solve(matrix, unit, n)];
        }).flat(),
      ),
    },
    {
      shape: [count],
      values: matrices(a!, n).map((matrix) => slogdet(matrix, n).logAbs),
      dtype: 'float64',
    },
  ],
  // Elimination, and the condition number of the matrix, some ten.
  units: 64 + 4 * n,
  gradient: false,
});

export const contract: OpContract = {
  module: 'batchInverse',
  native: ['batch_inverse'],
  cases: [
    ...[
      [5, 1],
      [7, 2],
      [40, 3],
      [2, 9],
      [3, 17],
    ].flatMap(([count, n]) => [determinants(count!, n!), inverses(count!, n!)]),
  ],
  errors: [
    {
      name: 'not square',
      run: () => batchLogAbsDet(f32([5, 2])),
      code: 'SHAPE',
      says: /\[batchLogAbsDet\] a: expected shape \[B·C, C\], got \[5, 2\]/,
    },
    {
      name: 'not square, inverse',
      run: () => batchInverse(f32([3])),
      code: 'SHAPE',
      says: /\[batchInverse\] a: expected shape \[B·C, C\], got \[3\]/,
    },
  ],
};

import { type LuForm, luInverseAll } from '../../lib/ops';
import { tensorOfArray } from '../../lib/tensor/tensor';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import { solveRows } from '../reference/lu';
import { permutationOf, triangleInputs, trianglesOf } from './luCases';

const list = (name: string, all: readonly (readonly [LuForm, number])[]): OpCase => {
  const most = Math.max(...all.map(([, n]) => n));
  return {
    name,
    inputs: all.flatMap(([, n]) => triangleInputs(n)),
    run: (...inputs) =>
      luInverseAll(trianglesOf(all, inputs)).flatMap(({ weight, logAbsDet }) => [
        weight,
        logAbsDet,
      ]),
    expected: (...inputs) =>
      all.flatMap(([form, n], k) => {
        const [factors, logScale, sign] = inputs.slice(4 * k) as [
          Float64Array,
          Float64Array,
          Float64Array,
        ];
        const identity = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) ? 0 : 1));
        const arrays = { form, factors, logScale, sign, rows: permutationOf(n) };
        return [
          // The rows of the identity give the columns of the inverse, with the transpose its rows.
          { shape: [n, n], values: solveRows(arrays, identity, null, true) },
          {
            shape: [],
            values: [logScale.reduce((sum, value) => sum + value, 0)],
            dtype: 'float64' as const,
          },
        ];
      }),
    // In float64 rounded once; in float64 substitution, whose error grows with the condition.
    units: 16 * most,
    gradientUnits: 256 * most,
    second: 'unsupported',
  };
};

const square = (rows: number[] | null = null, scale = 0) => ({
  factors: f32([3, 3]),
  logScale: tensorOfArray(Float32Array.of(0, scale, 0), [3]),
  sign: tensorOfArray(Float32Array.of(1, -1, 1), [3]),
  rows: rows && tensorOfArray(Int32Array.from(rows), [3]),
});

export const contract: OpContract = {
  module: 'luInverse',
  native: ['lu_inverse'],
  cases: [
    list('one number', [['lu', 1]]),
    list('four at once', [
      ['lu', 5],
      ['upper', 7],
      ['lower', 3],
      ['lu', 16],
    ]),
    list('33', [['lu', 33]]),
  ],
  errors: [
    {
      name: 'too large',
      run: () =>
        luInverseAll([
          { factors: f32([65, 65]), logScale: f32([65]), sign: f32([65]), rows: null },
        ]),
      code: 'NATIVE',
      says: /\[lu_inverse\] factors: expected at most 64 channels, got 65/,
    },
    {
      name: 'no permutation',
      run: () => luInverseAll([square([0, 2, 2])]),
      code: 'NATIVE',
      says: /\[lu_inverse\] rows: expected each of 0 … 2 once, got 2 at 2/,
      byData: true,
    },
    {
      name: 'singular',
      run: () => luInverseAll([square(null, -1000)]),
      code: 'NATIVE',
      says: /\[lu_inverse\] diagonal: expected no zero, got 0 at \[1\]: the matrix is singular/,
      byData: true,
    },
    {
      name: 'scales',
      run: () => luInverseAll([{ ...square(), logScale: f32([4]) }]),
      code: 'SHAPE',
      says: /\[luInverse\] logScale: expected shape \[3\], got \[4\]/,
    },
  ],
};

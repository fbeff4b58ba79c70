import { type LuForm, luInverseAll } from '../../lib/ops';
import { tensorOfArray } from '../../lib/tensor/tensor';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import { type LuArrays, solveRows } from '../reference/lu';
import { listCase, triangles } from './luCases';

/** The rows of the identity give the columns of the inverse, with the transpose its rows. */
function inverseOf(arrays: LuArrays): Float64Array {
  const n = arrays.logScale.length;
  const identity = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) ? 0 : 1));
  return solveRows(arrays, identity, null, true);
}

const list = (name: string, all: readonly (readonly [LuForm, number])[]): OpCase => {
  const most = Math.max(...all.map(([, n]) => n));
  // Substitution in float64, whose error grows with the condition; rounded once.
  const tolerance = { units: 16 * most, gradientUnits: 256 * most };
  return listCase(name, all, luInverseAll, inverseOf, tolerance);
};

const diagonal = (scale: number) => ({
  logScale: tensorOfArray(Float32Array.of(0, scale, 0), [3]),
  sign: tensorOfArray(Float32Array.of(1, -1, 1), [3]),
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
        luInverseAll([triangles({ factors: f32([65, 65]), logScale: f32([65]), sign: f32([65]) })]),
      code: 'NATIVE',
      says: /\[lu_inverse\] factors: expected at most 64 channels, got 65/,
    },
    {
      name: 'no permutation',
      run: () => {
        const rows = tensorOfArray(Int32Array.of(0, 2, 2), [3]);
        return luInverseAll([triangles({ ...diagonal(0), rows })]);
      },
      code: 'NATIVE',
      says: /\[lu_inverse\] rows: expected each of 0 … 2 once, got 2 at 2/,
      byData: true,
    },
    {
      name: 'singular',
      run: () => luInverseAll([triangles(diagonal(-1000))]),
      code: 'NATIVE',
      says: /\[lu_inverse\] diagonal: expected no zero, got 0 at \[1\]: the matrix is singular/,
      byData: true,
    },
    {
      name: 'scales',
      run: () => luInverseAll([triangles({ logScale: f32([4]) })]),
      code: 'SHAPE',
      says: /\[luInverse\] logScale: expected shape \[3\], got \[4\]/,
    },
  ],
};

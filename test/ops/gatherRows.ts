import { gatherRows } from '../../lib/ops';
import { tensorOfArray } from '../../lib/tensor/tensor';
import type { OpCase, OpContract } from '../contract/opCase';
import { indexes, oddSizes } from '../contract/opCase';
import { f32 } from '../contract/opContract';

/** The rows of x [·, cols] by index, each value through f. */
function gathered(
  x: Float64Array,
  indices: Float64Array,
  cols: number,
  f: (value: number) => number = (value) => value,
): Float64Array {
  return Float64Array.from({ length: indices.length * cols }, (_, i) =>
    f(x[indices[Math.floor(i / cols)]! * cols + (i % cols)]!),
  );
}

function cases(): OpCase[] {
  const result: OpCase[] = [];
  for (const cols of oddSizes) {
    result.push(
      {
        // Eleven out of seven: some rows twice, so the gradient adds up.
        name: `11 of 7 × ${cols}`,
        inputs: [{ shape: [7, cols] }, { shape: [11], dtype: 'int32', values: indexes(7) }],
        run: (x, i) => gatherRows(x, i),
        expected: (x, i) => ({ shape: [11, cols], values: gathered(x, i, cols) }),
        units: 0,
      },
      {
        name: `bytes, scaled, 5 of 9 × ${cols}`,
        inputs: [
          {
            shape: [9, cols],
            dtype: 'uint8',
            values: (draw, length) => draw(length).map((x) => Math.floor((x + 2) * 63)),
          },
          { shape: [5], dtype: 'int32', values: indexes(9) },
        ],
        run: (x, i) => gatherRows(x, i, { dtype: 'float32', scale: 1 / 256, shift: -0.5 }),
        expected: (x, i) => ({
          shape: [5, cols],
          values: gathered(x, i, cols, (value) => value / 256 - 0.5),
          dtype: 'float32',
        }),
        units: 1,
        dtypes: ['float32'],
      },
    );
  }
  result.push(
    {
      name: 'to float64, scaled',
      inputs: [{ shape: [6, 9] }, { shape: [8], dtype: 'int32', values: indexes(6) }],
      run: (x, i) => gatherRows(x, i, { dtype: 'float64', scale: -1.5, shift: 2 }),
      expected: (x, i) => ({
        shape: [8, 9],
        values: gathered(x, i, 9, (value) => -1.5 * value + 2),
        dtype: 'float64',
      }),
      units: 1,
    },
    {
      name: 'int32',
      inputs: [
        {
          shape: [6, 3],
          dtype: 'int32',
          values: (draw, length) => draw(length, 1e4).map(Math.round),
        },
        { shape: [4], dtype: 'int32', values: indexes(6) },
      ],
      run: (x, i) => gatherRows(x, i),
      expected: (x, i) => ({ shape: [4, 3], values: gathered(x, i, 3), dtype: 'float32' }),
      dtypes: ['float32'],
      units: 0,
    },
    {
      name: 'images [6, 2, 2, 3]',
      inputs: [{ shape: [6, 2, 2, 3] }, { shape: [4], dtype: 'int32', values: indexes(6) }],
      run: (x, i) => gatherRows(x, i),
      expected: (x, i) => ({ shape: [4, 2, 2, 3], values: gathered(x, i, 12) }),
      units: 0,
    },
    {
      name: 'numbers of a vector',
      inputs: [{ shape: [9] }, { shape: [17], dtype: 'int32', values: indexes(9) }],
      run: (x, i) => gatherRows(x, i),
      expected: (x, i) => ({ shape: [17], values: gathered(x, i, 1) }),
      units: 0,
    },
    {
      name: 'no rows',
      inputs: [{ shape: [3, 4] }, { shape: [0], dtype: 'int32' }],
      run: (x, i) => gatherRows(x, i),
      expected: () => ({ shape: [0, 4], values: [] }),
      gradient: false,
    },
  );
  return result;
}

export const contract: OpContract = {
  module: 'gatherRows',
  native: ['gather_rows', 'scatter_rows'],
  cases: cases(),
  errors: [
    {
      name: 'an index past the end',
      run: () => gatherRows(f32([3, 2]), tensorOfArray(Int32Array.of(0, 2, 3), [3])),
      code: 'NATIVE',
      says: /\[gather_rows\] indices: expected a row from 0 to 2, got 3 at position 2: check/,
      byData: true,
    },
    {
      name: 'a negative index',
      run: () => gatherRows(f32([3, 2]), tensorOfArray(Int32Array.of(1, -1), [2])),
      code: 'NATIVE',
      says: /got -1 at position 1/,
      byData: true,
    },
    {
      name: 'indices of another type',
      run: () => gatherRows(f32([3, 2]), f32([2])),
      code: 'DTYPE',
      says: /\[gatherRows\] indices: expected int32, got float32: make them of an Int32Array/,
    },
    {
      name: 'a matrix of indices',
      run: () => gatherRows(f32([3, 2]), tensorOfArray(Int32Array.of(0, 1), [1, 2])),
      code: 'SHAPE',
      says: /\[gatherRows\] indices: expected shape \[M\], got \[1, 2\]/,
    },
    {
      name: 'a scalar',
      run: () => gatherRows(f32([]), tensorOfArray(Int32Array.of(0), [1])),
      code: 'SHAPE',
      says: /\[gatherRows\] x: expected at least one axis, got \[\]/,
    },
  ],
};

import { gatherColumns } from '../../lib/ops';
import { tensorOfArray } from '../../lib/tensor/tensor';
import type { OpContract } from '../contract/opCase';
import { indexes, oddSizes } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';

export const contract: OpContract = {
  module: 'gatherColumns',
  native: ['gather_columns', 'scatter_columns'],
  cases: oddSizes.flatMap((cols) =>
    [cols, 2 * cols + 1].map((taken) => ({
      name: `${taken} of 3 × ${cols}`,
      inputs: [
        { shape: [3, cols] },
        { shape: [taken], dtype: 'int32' as const, values: indexes(cols) },
      ],
      run: gatherColumns,
      expected: (x: Float64Array, indices: Float64Array) => ({
        shape: [3, taken],
        values: Float64Array.from(
          { length: 3 * taken },
          (_, i) => x[Math.floor(i / taken) * cols + indices[i % taken]!]!,
        ),
      }),
      units: 0,
    })),
  ),
  errors: [
    {
      name: 'an index past the end',
      run: () => gatherColumns(f32([3, 2]), tensorOfArray(Int32Array.of(0, 2), [2])),
      code: 'NATIVE',
      says: /\[gather_columns\] indices: expected a column from 0 to 1, got 2 at position 1/,
      byData: true,
    },
    {
      name: 'integers',
      run: () => gatherColumns(ofType([3, 2], 'uint8'), tensorOfArray(Int32Array.of(0), [1])),
      code: 'DTYPE',
      says: /\[gatherColumns\] x: expected float32 or float64, got uint8/,
    },
  ],
};

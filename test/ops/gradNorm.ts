import { gradNorm } from '../../lib/ops';
import type { OpContract } from '../contract/opCase';
import { ofType } from '../contract/opContract';
import { sum } from '../reference/reduce';

export const contract: OpContract = {
  module: 'gradNorm',
  native: ['grad_norm'],
  cases: [1, 15, 17, 1023, 50_000].map((cols) => ({
    name: `2 × ${cols}, nothing and 5`,
    inputs: [{ shape: [2, cols] }, { shape: [5] }],
    run: (a, b) => gradNorm([a!, null, b!]),
    expected: (a, b) => ({
      shape: [1],
      dtype: 'float64',
      values: [Math.sqrt(sum([...a!, ...b!].map((v) => v * v)))],
    }),
    // float64 whatever the inputs are; lanes of up to 2000 squares. In float32 the tolerance is wider than the error.
    units: 64,
    // Runs of elements of a view are rows, those of a matrix chunks: another order of the sum.
    strided: 64,
    gradient: false,
  })),
  errors: [
    {
      name: 'integers',
      run: () => gradNorm([ofType([2], 'int32')]),
      code: 'NATIVE',
      says: /\[grad_norm\] gradients\[0\]: expected float32 or float64, got int32/,
    },
  ],
};

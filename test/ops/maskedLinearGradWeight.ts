import { maskedLinearGradWeight } from '../../lib/ops';
import type { OpContract } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import * as reference from '../reference/linear';
import { extentsInput, maskOf, sizes, sumUnits } from './linearCases';

export const contract: OpContract = {
  module: 'maskedLinearGradWeight',
  native: ['masked_linear_grad_weight'],
  cases: [...sizes, [1100, 7, 5] as const].map(([n, inputs, outputs]) => ({
    name: `${n} rows, ${inputs} · ${outputs}`,
    inputs: [{ shape: [n, outputs] }, { shape: [n, inputs] }, extentsInput(outputs, inputs)],
    run: (dy, x, extents) => maskedLinearGradWeight(dy!, x!, extents!),
    expected: (dy, x, extents) => {
      const product = reference.matmul(dy!, x!, outputs, n, inputs, { transposeA: true });
      return {
        shape: [outputs, inputs],
        values: reference.maskWeight(product, maskOf(extents!, inputs)),
      };
    },
    units: sumUnits(n),
    gradientUnits: 64 + inputs + outputs,
  })),
  errors: [
    {
      name: 'rows',
      run: () => maskedLinearGradWeight(f32([2, 3]), f32([4, 3]), ofType([3], 'int32')),
      code: 'SHAPE',
      says: /\[maskedLinearGradWeight\] x: expected 2 rows, as dy, got 4/,
    },
  ],
};

import { maskedLinearGradInput } from '../../lib/ops';
import type { OpContract } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import * as reference from '../reference/linear';
import { extentsInput, maskOf, sizes, sumUnits } from './linearCases';

export const contract: OpContract = {
  module: 'maskedLinearGradInput',
  native: ['masked_linear_grad_input'],
  cases: sizes.map(([n, inputs, outputs]) => ({
    name: `${n} rows, ${inputs} ← ${outputs}`,
    inputs: [{ shape: [n, outputs] }, { shape: [outputs, inputs] }, extentsInput(outputs, inputs)],
    run: (dy, weight, extents) => maskedLinearGradInput(dy!, weight!, extents!),
    expected: (dy, weight, extents) => {
      const masked = reference.maskWeight(weight!, maskOf(extents!, inputs));
      return { shape: [n, inputs], values: reference.matmul(dy!, masked, n, outputs, inputs) };
    },
    units: sumUnits(outputs),
    gradientUnits: 64 + inputs + n,
  })),
  errors: [
    {
      name: 'shapes',
      run: () => maskedLinearGradInput(f32([2, 3]), f32([4, 3]), ofType([4], 'int32')),
      code: 'SHAPE',
      says: /\[maskedLinearGradInput\] weight: expected shape \[3, 3\], got \[4, 3\]/,
    },
  ],
};

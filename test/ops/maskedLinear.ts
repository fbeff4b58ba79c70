import { maskedLinear } from '../../lib/ops';
import { tensorOfArray } from '../../lib/tensor/tensor';
import type { OpContract } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import { linearCases } from './linearCases';

export const contract: OpContract = {
  module: 'maskedLinear',
  native: ['masked_linear'],
  cases: linearCases(true, (activation, hasAddend) => (x, weight, bias, ...rest) => {
    const extents = rest[rest.length - 1]!;
    return maskedLinear(x!, weight!, bias!, {
      extents,
      activation,
      addend: hasAddend ? rest[0]! : null,
    });
  }),
  errors: [
    {
      name: 'number of extents',
      run: () => maskedLinear(f32([2, 3]), f32([5, 3]), null, { extents: ofType([4], 'int32') }),
      code: 'SHAPE',
      says: /\[maskedLinear\] extents: expected shape \[5\], got \[4\]/,
    },
    {
      name: 'type of extents',
      run: () => maskedLinear(f32([2, 3]), f32([5, 3]), null, { extents: f32([5]) }),
      code: 'DTYPE',
      says: /\[maskedLinear\] extents: expected int32, got float32/,
    },
    {
      name: 'extent beyond the inputs',
      run: () => {
        const extents = tensorOfArray(Int32Array.of(0, 4), [2]);
        return maskedLinear(f32([2, 3]), f32([2, 3]), null, { extents });
      },
      code: 'NATIVE',
      says: /\[masked_linear\] extents\[1\]: expected 0 to 3 inputs, got 4/,
      byData: true,
    },
    {
      name: 'negative extent',
      run: () => {
        const extents = tensorOfArray(Int32Array.of(-1, 3), [2]);
        return maskedLinear(f32([2, 3]), f32([2, 3]), null, { extents });
      },
      code: 'NATIVE',
      says: /\[masked_linear\] extents\[0\]: expected 0 to 3 inputs, got -1/,
      byData: true,
    },
  ],
};

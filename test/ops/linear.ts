import { linear } from '../../lib/ops';
import type { OpContract } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import { linearCases } from './linearCases';

export const contract: OpContract = {
  module: 'linear',
  native: ['linear'],
  cases: [
    ...linearCases(
      false,
      (activation, hasAddend) => (x, weight, bias, addend) =>
        linear(x!, weight!, bias!, { activation, addend: hasAddend ? addend! : null }),
    ),
    {
      name: 'no bias, three axes',
      inputs: [{ shape: [2, 3, 5] }, { shape: [4, 5] }],
      run: (x, weight) => linear(x!, weight!, null),
      expected: (x, weight) => ({
        shape: [2, 3, 4],
        values: Float64Array.from({ length: 24 }, (_, i) =>
          [0, 1, 2, 3, 4].reduce(
            (sum, k) => sum + x![Math.floor(i / 4) * 5 + k]! * weight![(i % 4) * 5 + k]!,
            0,
          ),
        ),
      }),
      units: 16,
    },
  ],
  errors: [
    {
      name: 'inner sizes',
      run: () => linear(f32([2, 3]), f32([5, 4]), null),
      code: 'SHAPE',
      says: /\[linear\] weight: expected shape \[out, in\] = \[out, 3\].*got \[5, 4\]/,
    },
    {
      name: 'bias',
      run: () => linear(f32([2, 3]), f32([5, 3]), f32([3])),
      code: 'SHAPE',
      says: /\[linear\] bias: expected shape \[5\], got \[3\]/,
    },
    {
      name: 'addend',
      run: () => linear(f32([2, 3]), f32([5, 3]), null, { addend: f32([2, 3]) }),
      code: 'SHAPE',
      says: /\[linear\] addend: expected shape \[2, 5\]/,
    },
    {
      name: 'types',
      run: () => linear(f32([2, 3]), ofType([5, 3], 'float64'), null),
      code: 'DTYPE',
      says: /\[linear\] weight: expected float32, got float64/,
    },
    {
      name: 'integers',
      run: () => linear(ofType([2, 3], 'int32'), ofType([5, 3], 'int32'), null),
      code: 'DTYPE',
      says: /\[linear\] x: expected float32 or float64/,
    },
    {
      name: 'unknown activation',
      run: () => linear(f32([2, 3]), f32([5, 3]), null, { activation: 'swish' as 'relu' }),
      code: 'ARGUMENT',
      says: /activation: expected one of none, relu.*got swish/,
    },
  ],
};

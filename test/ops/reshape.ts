import { cast, clone, contiguous, reshape } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { oddSizes } from '../contract/opCase';
import { f32 } from '../contract/opContract';

function cases(): OpCase[] {
  const result: OpCase[] = [];
  for (const cols of oddSizes) {
    result.push({
      name: `6 × ${cols}: reshape, clone, cast and back`,
      inputs: [{ shape: [6, cols] }],
      run: (x) => [
        reshape(x, [2, 3 * cols]),
        reshape(x, [-1, 2]),
        clone(x),
        contiguous(x),
        cast(cast(x, 'float64'), x.dtype),
        cast(x, 'float64'),
      ],
      expected: (x) => [
        { shape: [2, 3 * cols], values: x },
        { shape: [3 * cols, 2], values: x },
        { shape: [6, cols], values: x },
        { shape: [6, cols], values: x },
        { shape: [6, cols], values: x },
        { shape: [6, cols], values: x, dtype: 'float64' },
      ],
      units: 0,
      // Of a view, contiguous(x) is another tensor: the gradients of the outputs are added in another order.
      strided: 4,
    });
  }
  result.push({
    name: 'to float32',
    inputs: [{ shape: [3, 17] }],
    run: (x) => cast(x, 'float32'),
    expected: (x) => ({ shape: [3, 17], values: x.map(Math.fround), dtype: 'float32' }),
    units: 0,
    // The reference is a staircase.
    gradient: false,
  });
  result.push({
    name: 'to integers',
    inputs: [
      {
        shape: [2, 5],
        values: () => [-1.9, 1.9, 300.7, 1e10, NaN, -3e9, 254.5, 0.99, -0.99, Infinity],
      },
    ],
    run: (x) => [cast(x, 'int32'), cast(x, 'uint8')],
    expected: () => [
      {
        shape: [2, 5],
        values: [-1, 1, 300, 2147483647, 0, -2147483648, 254, 0, 0, 2147483647],
        dtype: 'int32',
      },
      { shape: [2, 5], values: [0, 1, 255, 255, 0, 0, 254, 0, 0, 255], dtype: 'uint8' },
    ],
    gradient: false,
  });
  result.push({
    name: 'from integers',
    inputs: [{ shape: [3], dtype: 'int32', values: () => [-5, 0, 16777217] }],
    run: (x) => [cast(x, 'float64'), cast(x, 'float32')],
    expected: () => [
      { shape: [3], values: [-5, 0, 16777217], dtype: 'float64' },
      { shape: [3], values: [-5, 0, 16777216], dtype: 'float32' },
    ],
    dtypes: ['float32'],
    units: 0,
  });
  return result;
}

export const contract: OpContract = {
  module: 'reshape',
  native: ['copy'],
  cases: cases(),
  errors: [
    {
      name: 'another number of elements',
      run: () => reshape(f32([3, 4]), [5, 2]),
      code: 'SHAPE',
      says: /\[reshape\] shape: expected one of 12 elements, as \[3, 4\] has, got \[5, 2\]/,
    },
    {
      name: '−1 that does not come out',
      run: () => reshape(f32([3, 4]), [5, -1]),
      code: 'SHAPE',
      says: /got \[5, -1\]/,
    },
    {
      name: 'an unknown type',
      run: () => cast(f32([3]), 'float16' as 'float32'),
      code: 'DTYPE',
      says: /\[cast\] dtype: expected float32, float64, int32 or uint8, got float16/,
    },
  ],
};

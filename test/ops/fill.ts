import { fillInPlace, full, ones, zeros } from '../../lib/ops';
import { tensor } from '../../lib/tensor/create';
import { execute } from '../../lib/tensor/execute';
import type { OpContract } from '../contract/opCase';
import { oddSizes } from '../contract/opCase';

export const contract: OpContract = {
  module: 'fill',
  native: ['fill'],
  cases: [
    ...oddSizes.map((cols) => ({
      name: `3 × ${cols}`,
      inputs: [],
      run: () => [
        full([3, cols], -1.25, 'float64'),
        full([3, cols], -7, 'int32'),
        ones([cols], 'uint8'),
        zeros([3, cols]),
      ],
      expected: () => [
        { shape: [3, cols], values: Array(3 * cols).fill(-1.25), dtype: 'float64' as const },
        { shape: [3, cols], values: Array(3 * cols).fill(-7), dtype: 'int32' as const },
        { shape: [cols], values: Array(cols).fill(1), dtype: 'uint8' as const },
        { shape: [3, cols], values: Array(3 * cols).fill(0) },
      ],
      dtypes: ['float32' as const],
      units: 0,
    })),
    {
      // The columns beside a view stay what they are.
      name: 'in place, in a view',
      inputs: [{ shape: [3, 9], constant: true, viewable: false }],
      run: (x) => {
        const [copy] = execute('copy', [x], [{ shape: [3, 9], dtype: x.dtype }]);
        fillInPlace(copy!.view([3, 4], 2, 9), 5);
        return copy!;
      },
      expected: (x) => ({
        shape: [3, 9],
        values: x.map((value, i) => (i % 9 >= 2 && i % 9 < 6 ? 5 : value)),
      }),
      units: 0,
    },
  ],
  errors: [
    {
      name: 'options in place of a type',
      run: () => full([3], 1, { device: 'cuda' } as unknown as 'float32'),
      code: 'DTYPE',
      says: /\[full\] dtype: expected float32, float64, int32 or uint8, got object/,
    },
    {
      name: 'half a row',
      run: () => full([2.5], 1),
      code: 'SHAPE',
      says: /\[full\] shape: expected a list of whole numbers from 0, got \[2.5\]/,
    },
    {
      name: 'a type that there is not, for data',
      run: () => tensor([1, 2], { dtype: 'bfloat16' as 'float32' }),
      code: 'DTYPE',
      says: /\[tensor\] dtype: expected float32, float64, int32 or uint8, got bfloat16/,
    },
    {
      name: 'a value that does not fit',
      run: () => full([3], 256, 'uint8'),
      code: 'NATIVE',
      says: /\[fill\] value: expected 0 to 255, got 256/,
    },
    {
      name: 'NaN as an integer',
      run: () => full([3], NaN, 'int32'),
      code: 'NATIVE',
      says: /\[fill\] value: expected an int32, got nan/,
    },
  ],
};

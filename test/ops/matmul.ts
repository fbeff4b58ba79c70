import { matmul } from '../../lib/ops';
import type { OpContract } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import * as reference from '../reference/linear';
import { sizes, sumUnits } from './linearCases';

const forms = [
  { transposeA: false, transposeB: false },
  { transposeA: false, transposeB: true },
  { transposeA: true, transposeB: false },
  { transposeA: true, transposeB: true },
];

export const contract: OpContract = {
  module: 'matmul',
  native: ['matmul'],
  cases: sizes.flatMap(([m, k, n], at) =>
    // Every form where the case is small, one of them where it is large.
    (m * k * n < 1000 ? forms : [forms[at % 4]!]).map((form) => ({
      name: `${m} × ${k} × ${n}, ${form.transposeA ? 'Aᵀ' : 'A'}·${form.transposeB ? 'Bᵀ' : 'B'}`,
      inputs: [
        { shape: form.transposeA ? [k, m] : [m, k] },
        { shape: form.transposeB ? [n, k] : [k, n] },
      ],
      run: (a, b) => matmul(a!, b!, form),
      expected: (a, b) => ({ shape: [m, n], values: reference.matmul(a!, b!, m, k, n, form) }),
      units: sumUnits(k),
      gradientUnits: 64 + m + n,
    })),
  ),
  errors: [
    {
      name: 'inner sizes',
      run: () => matmul(f32([2, 3]), f32([4, 5])),
      code: 'SHAPE',
      says: /\[matmul\] b: expected inner size 3, that of a \[2, 3\], got 4 of \[4, 5\]/,
    },
    {
      name: 'types',
      run: () => matmul(f32([2, 3]), ofType([3, 5], 'float64')),
      code: 'DTYPE',
      says: /\[matmul\] b: expected float32, got float64/,
    },
  ],
};

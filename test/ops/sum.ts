import { expand, mean, sum, sumTo } from '../../lib/ops';
import type { Tensor } from '../../lib/tensor/tensor';
import type { Expected, OpCase, OpContract } from '../contract/opCase';
import { oddSizes } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import * as reference from '../reference/reduce';

type Reduce = (values: ArrayLike<number>) => number;
type Run = typeof sum;

/** The three axes of a reduction for one size; shared with reduce.ts. */
export function axisCases(
  name: string,
  run: Run,
  f: Reduce,
  rows: number,
  cols: number,
  options: Partial<OpCase>,
): OpCase[] {
  const inputs = [{ shape: [rows, cols] }];
  const each = (
    axis: string,
    call: (x: Tensor) => Tensor,
    expected: (x: Float64Array) => Expected,
  ): OpCase => ({
    name: `${name} ${rows} × ${cols}, ${axis}`,
    inputs,
    run: call,
    expected,
    ...options,
  });
  return [
    each(
      'over channels',
      (x) => run(x, -1),
      (x) => ({ shape: [rows], values: reference.reduceRows(x, rows, f) }),
    ),
    each(
      'over rows',
      (x) => run(x, 0),
      (x) => ({ shape: [cols], values: reference.reduceColumns(x, rows, f) }),
    ),
    each(
      'over all',
      (x) => run(x),
      (x) => ({ shape: [], values: [f(x)] }),
    ),
    each(
      'to float64',
      (x) => run(x, -1, { dtype: 'float64' }),
      (x) => ({ shape: [rows], values: reference.reduceRows(x, rows, f), dtype: 'float64' }),
    ),
  ];
}

function cases(): OpCase[] {
  const result: OpCase[] = [];
  // Float64 sums are in registers and blocks: up to a few roundings of partial sums that can be √n times the result.
  const options = { units: 16, strided: 16 };
  oddSizes.forEach((cols, i) => {
    const [name, run, f] =
      i % 2 === 0
        ? (['sum', sum, reference.sum] as const)
        : (['mean', mean, reference.mean] as const);
    result.push(...axisCases(name, run, f, 4, cols, options));
    result.push(...axisCases(name, run, f, cols, 3, options));
  });
  result.push(...axisCases('sum', sum, reference.sum, 301, 129, { units: 64, strided: 64 }));
  result.push(
    {
      name: 'sum of [2, 3, 4, 5] over channels',
      inputs: [{ shape: [2, 3, 4, 5] }],
      run: (x) => sum(x, -1),
      expected: (x) => ({ shape: [2, 3, 4], values: reference.reduceRows(x, 24) }),
      ...options,
    },
    {
      name: 'sum of [2, 3, 4, 5] over rows',
      inputs: [{ shape: [2, 3, 4, 5] }],
      run: (x) => sum(x, 0),
      expected: (x) => ({ shape: [5], values: reference.reduceColumns(x, 24) }),
      ...options,
    },
    {
      name: 'mean of a vector',
      inputs: [{ shape: [129] }],
      run: (x) => [mean(x), mean(x, 0), mean(x, -1)],
      expected: (x) => [1, 2, 3].map(() => ({ shape: [], values: [reference.mean(x)] })),
      ...options,
    },
    {
      // 1e8 + 1 is not a float32: only a float64 sum has the small numbers.
      name: 'small numbers beside large ones',
      inputs: [
        {
          shape: [4, 257],
          values: (draw, length) =>
            draw(length).map((x, i) => (i % 2 ? x : 1e8 * (i % 4 ? 1 : -1))),
        },
      ],
      run: (x) => sum(x, -1, { dtype: 'float64' }),
      expected: (x) => ({
        shape: [4],
        values: reference.reduceRows(x, 4),
        dtype: 'float64',
      }),
      dtypes: ['float32'],
    },
    {
      name: 'sum of nothing',
      inputs: [{ shape: [0, 5] }],
      run: (x) => [sum(x), sum(x, 0), sum(x, -1)],
      expected: () => [
        { shape: [], values: [0] },
        { shape: [5], values: [0, 0, 0, 0, 0] },
        { shape: [0], values: [] },
      ],
      gradient: false,
    },
  );
  for (const cols of oddSizes) {
    result.push(
      {
        name: `expand row, column and number to 3 × ${cols}`,
        inputs: [{ shape: [cols] }, { shape: [3, 1] }, { shape: [] }],
        run: (row, column, one) => [
          expand(row, [3, cols]),
          expand(column, [3, cols], { scale: -1.5 }),
          expand(one, [3, cols], { dtype: 'float64', scale: 2 }),
        ],
        expected: (row, column, one) => {
          const make = (f: (r: number, c: number) => number) =>
            Float64Array.from({ length: 3 * cols }, (_, i) => f(Math.floor(i / cols), i % cols));
          return [
            { shape: [3, cols], values: make((_, c) => row[c]!) },
            { shape: [3, cols], values: make((r) => -1.5 * column[r]!) },
            { shape: [3, cols], values: make(() => 2 * one[0]!), dtype: 'float64' },
          ];
        },
        units: 1,
      },
      {
        name: `sumTo row, column and number from 3 × ${cols}`,
        inputs: [{ shape: [3, cols] }],
        run: (x) => [sumTo(x, [1, cols]), sumTo(x, [3, 1]), sumTo(x, [1])],
        expected: (x) => [
          { shape: [1, cols], values: reference.reduceColumns(x, 3) },
          { shape: [3, 1], values: reference.reduceRows(x, 3) },
          { shape: [1], values: [reference.sum(x)] },
        ],
        ...options,
      },
    );
  }
  result.push({
    name: 'the negative of a mean and of a sum',
    inputs: [{ shape: [5, 9] }],
    run: (x) => [mean(x, undefined, { negated: true }), sum(x, 0, { negated: true })],
    expected: (x) => [
      { shape: [], values: [-reference.mean(x)] },
      { shape: [9], values: reference.reduceColumns(x, 5, reference.sum).map((v) => -v) },
    ],
    ...options,
  });
  return result;
}

export const contract: OpContract = {
  module: 'sum',
  native: ['expand'],
  cases: cases(),
  errors: [
    {
      name: 'integers',
      run: () => sum(ofType([3], 'int32')),
      code: 'DTYPE',
      says: /\[sum\] x: expected float32 or float64, got int32/,
    },
    {
      name: 'an axis that is not there',
      run: () => mean(f32([3, 4]), 1 as 0),
      code: 'ARGUMENT',
      says: /\[mean\] axis: expected 0, −1 or none, got 1/,
    },
    {
      name: 'expand to another shape',
      run: () => expand(f32([3]), [2, 4]),
      code: 'SHAPE',
      says: /\[expand\] x: expected the shape \[2, 4\], or one row, column or number of it, got \[3\]/,
    },
  ],
};

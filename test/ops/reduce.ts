import { logSumExp, max } from '../../lib/ops';
import type { OpCase, OpContract, Values } from '../contract/opCase';
import { oddSizes } from '../contract/opCase';
import { ofType } from '../contract/opContract';
import { logSumExp as referenceLogSumExp } from '../reference/distributions';
import * as reference from '../reference/reduce';
import { axisCases } from './sum';

/** A permutation of steps of 0.5: no two within reach of the differences. */
const apart: Values = (draw, length) => {
  const noise = draw(length);
  const order = [...noise.keys()].sort((a, b) => noise[a]! - noise[b]!);
  return order.map((position) => (position - length / 3) * 0.5);
};

function cases(): OpCase[] {
  const result: OpCase[] = [];
  oddSizes.forEach((cols, i) => {
    const [rows, columns] = i % 2 === 0 ? [3, cols] : [cols, 3];
    for (const test of axisCases('max', max, reference.max, rows, columns, {
      units: 0,
      second: 'unsupported',
    })) {
      result.push({ ...test, inputs: [{ shape: [rows, columns], values: apart }] });
    }
    // exp in the type, sum in float64, then the maximum is added: a few roundings.
    result.push(
      ...axisCases('logSumExp', logSumExp, referenceLogSumExp, rows, columns, {
        units: 4,
        // Sums in another order; the gradients are exp(x − y).
        strided: 16,
      }),
    );
  });
  result.push(
    ...axisCases('logSumExp', logSumExp, referenceLogSumExp, 301, 129, { units: 8, strided: 64 }),
  );
  const inf = Infinity;
  result.push({
    name: 'infinities and NaN',
    inputs: [
      {
        shape: [6, 3],
        values: () =>
          [
            [-inf, -inf, -inf],
            [-inf, 2, -inf],
            [inf, 1, 2],
            [NaN, 1, 2],
            [1, 2, NaN],
            [1e30, -1e30, 1e30],
          ].flat(),
      },
    ],
    run: (x) => [max(x, -1), logSumExp(x, -1), max(x), logSumExp(x)],
    expected: (x) => [
      { shape: [6], values: [-inf, 2, inf, NaN, NaN, x[15]!] },
      { shape: [6], values: [-inf, 2, inf, NaN, NaN, x[15]!] },
      { shape: [], values: [NaN] },
      { shape: [], values: [NaN] },
    ],
    gradient: false,
  });
  result.push({
    name: 'the same by rows',
    inputs: [
      { shape: [3, 4], values: () => [-inf, -inf, 1, NaN, -inf, 2, inf, 1, -inf, -inf, 3, 5] },
    ],
    run: (x) => [max(x, 0), logSumExp(x, 0)],
    expected: () => [
      { shape: [4], values: [-inf, 2, inf, NaN] },
      { shape: [4], values: [-inf, 2, inf, NaN] },
    ],
    gradient: false,
  });
  return result;
}

export const contract: OpContract = {
  module: 'reduce',
  native: ['reduce', 'reduce_grad'],
  cases: cases(),
  errors: [
    {
      name: 'integers',
      run: () => logSumExp(ofType([3], 'uint8')),
      code: 'DTYPE',
      says: /\[logSumExp\] x: expected float32 or float64, got uint8/,
    },
  ],
};

import { checkFinite } from '../../lib/ops';
import type { OpContract, Values } from '../contract/opCase';
import { ofType } from '../contract/opContract';

const withOne =
  (bad: number, at: number): Values =>
  (draw, length) =>
    draw(length).map((v, i) => (i === Math.min(at, length - 1) ? bad : v));

export const contract: OpContract = {
  module: 'checkFinite',
  native: ['check_finite'],
  cases: [1, 15, 17, 1023, 40_000].flatMap((cols) =>
    [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1].map((bad) => ({
      name: `${bad} among 2 × ${cols}`,
      inputs: [
        { shape: [7] },
        { shape: [2, cols], values: withOne(bad, cols + 1) },
        { shape: [3], values: withOne(Number.NaN, 1) },
      ],
      run: (a, b, c) => checkFinite([a!, b!, c!]),
      expected: () => ({ shape: [1], dtype: 'int32', values: [bad === 1 ? 2 : 1] }),
      gradient: false,
    })),
  ),
  errors: [
    {
      name: 'integers',
      run: () => checkFinite([ofType([2], 'uint8')]),
      code: 'NATIVE',
      says: /\[check_finite\] tensors\[0\]: expected float32 or float64, got uint8/,
    },
  ],
};

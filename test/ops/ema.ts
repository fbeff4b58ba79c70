import { ema } from '../../lib/ops';
import { tensorOfArray } from '../../lib/tensor/tensor';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import { copies, flag, fresh } from './listCases';

export const contract: OpContract = {
  module: 'ema',
  native: ['ema'],
  cases: [1, 15, 16, 129, 40_000]
    .map(
      (cols): OpCase => ({
        name: `${cols} and 2 × 3`,
        inputs: [{ shape: [cols] }, { shape: [2, 3] }, { shape: [cols] }, { shape: [2, 3] }],
        run: (s, t, v, w) => {
          const shadows = copies([s!, t!]);
          ema(fresh(0.75), [v!, w!], shadows);
          return shadows;
        },
        expected: (s, t, v, w) => [
          { shape: [cols], values: s!.map((value, i) => 0.75 * value + 0.25 * v![i]!) },
          { shape: [2, 3], values: t!.map((value, i) => 0.75 * value + 0.25 * w![i]!) },
        ],
        units: 4,
        gradient: false,
      }),
    )
    .concat({
      name: 'nothing by a flag of 0',
      inputs: [{ shape: [4] }, { shape: [4] }],
      run: (s, v) => {
        const shadows = copies([s!]);
        ema(fresh(0.75), [v!], shadows, flag(0));
        return shadows;
      },
      expected: (s) => ({ shape: [4], values: s! }),
      units: 0,
      gradient: false,
    }),
  errors: [
    {
      name: 'type of decay',
      run: () => ema(tensorOfArray(Float32Array.of(0.5), [1]), [f32([2])], [f32([2])]),
      code: 'NATIVE',
      says: /\[ema\] decay: expected one float64, got float32/,
    },
  ],
};

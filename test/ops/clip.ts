import { clip } from '../../lib/ops';
import type { OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import { copies, fresh } from './listCases';

export const contract: OpContract = {
  module: 'clip',
  native: ['clip'],
  cases: [1, 15, 17, 1023, 40_000].flatMap((cols) =>
    [0.5, 4].map((norm) => ({
      name: `${cols}, norm ${norm} against 2`,
      inputs: [{ shape: [cols] }, { shape: [3, 2] }],
      run: (a, b) => {
        const gradients = copies([a!, b!]);
        clip(fresh(norm), fresh(2), gradients);
        return gradients;
      },
      expected: (a, b) => {
        const factor = Math.min(1, 2 / (norm + 1e-6));
        return [
          { shape: [cols], values: a!.map((v) => factor * v) },
          { shape: [3, 2], values: b!.map((v) => factor * v) },
        ];
      },
      units: 2,
      gradient: false,
    })),
  ),
  errors: [
    {
      name: 'type of the norm',
      run: () => clip(f32([1]), f32([1]), [f32([2])]),
      code: 'NATIVE',
      says: /\[clip\] norm: expected one float64, got float32/,
    },
  ],
};

import { monotoneInverse } from '../../lib/ops';
import type { OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import { monotoneCases } from './monotoneCases';

export const contract: OpContract = {
  module: 'monotoneInverse',
  native: ['monotone_inverse', 'monotone_grad'],
  cases: monotoneCases(true, (y, params, family) => {
    const { x, logDet } = monotoneInverse(y, params, family);
    return [x, logDet];
  }),
  errors: [
    {
      name: 'params',
      run: () => monotoneInverse(f32([2, 3]), f32([2, 3]), { kind: 'bernstein', degree: 4 }),
      code: 'SHAPE',
      says: /\[monotoneInverse\] params: expected shape \[2, 15\], got \[2, 3\]/,
    },
  ],
};

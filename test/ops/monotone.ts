import { type MonotoneFamily, monotone } from '../../lib/ops';
import type { OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import { monotoneCases } from './monotoneCases';

export const contract: OpContract = {
  module: 'monotone',
  native: ['monotone', 'monotone_grad'],
  cases: monotoneCases(false, (x, params, family) => {
    const { y, logDet } = monotone(x, params, family);
    return [y, logDet];
  }),
  errors: [
    {
      name: 'params',
      run: () => monotone(f32([2, 3]), f32([2, 3]), { kind: 'dsf', hidden: 4 }),
      code: 'SHAPE',
      says: /\[monotone\] params: expected shape \[2, 36\], got \[2, 3\]: the conditioner gives 12 parameters/,
    },
    {
      name: 'sizes',
      run: () => monotone(f32([2, 3]), f32([2, 3]), { kind: 'bernstein', degree: 0 }),
      code: 'ARGUMENT',
      says: /degree: expected a whole number from 1 to 4096, got 0/,
    },
    {
      name: 'least slope',
      run: () => monotone(f32([2, 3]), f32([2, 9]), { kind: 'dsf', hidden: 1, leastSlope: 0 }),
      code: 'ARGUMENT',
      says: /leastSlope: expected a positive number, got 0/,
    },
    {
      name: 'bound',
      run: () =>
        monotone(f32([2, 3]), f32([2, 15]), { kind: 'logisticMixture', components: 1, bound: 0 }),
      code: 'ARGUMENT',
      says: /bound: expected a positive number, got 0/,
    },
    {
      name: 'family',
      run: () => monotone(f32([2, 3]), f32([2, 9]), { kind: 'cubic' } as unknown as MonotoneFamily),
      code: 'ARGUMENT',
      says: /family: expected dsf, sumOfSquares, bernstein or logisticMixture, got cubic/,
    },
  ],
};

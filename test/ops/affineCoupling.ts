import { affineCoupling } from '../../lib/ops';
import type { OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import { couplingCases } from './couplingCases';

export const contract: OpContract = {
  module: 'affineCoupling',
  native: ['affine_coupling', 'affine_coupling_grad'],
  cases: couplingCases(false, (x, params, options) => {
    const { y, logDet } = affineCoupling(x, params, options);
    return [y, logDet];
  }),
  errors: [
    {
      name: 'params of an odd number of columns',
      run: () => affineCoupling(f32([2, 3]), f32([2, 3])),
      code: 'SHAPE',
      says: /\[affineCoupling\] params: expected shape \[2, 2\], got \[2, 3\]/,
    },
    {
      name: 'columns beyond the row',
      run: () => affineCoupling(f32([2, 3]), f32([2, 4]), { start: 2 }),
      code: 'SHAPE',
      says: /columns: expected 2 of the 3 columns, as params have them, got those from 2/,
    },
    {
      name: 'positions',
      run: () => affineCoupling(f32([6, 3]), f32([6, 4]), { positions: 4 }),
      code: 'SHAPE',
      says: /positions: expected a divisor of the 6 rows, got 4/,
    },
    {
      name: 'width of a checkerboard',
      run: () =>
        affineCoupling(f32([6, 3]), f32([6, 6]), {
          positions: 6,
          checkerboard: { width: 4, parity: 0 },
        }),
      code: 'SHAPE',
      says: /checkerboard.width: expected a divisor of the 6 positions, got 4/,
    },
    {
      name: 'gain without tanh',
      run: () =>
        affineCoupling(f32([2, 3]), f32([2, 4]), { scale: { kind: 'exp' }, gain: f32([2]) }),
      code: 'ARGUMENT',
      says: /gain: expected none, got one with exp: only tanh takes a gain/,
    },
    {
      name: 'bound',
      run: () => affineCoupling(f32([2, 3]), f32([2, 4]), { scale: { kind: 'atan', bound: -1 } }),
      code: 'ARGUMENT',
      says: /scale.bound: expected a positive number, got -1/,
    },
  ],
};

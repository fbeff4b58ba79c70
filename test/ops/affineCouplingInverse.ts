import { affineCouplingInverse } from '../../lib/ops';
import type { OpContract } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import { couplingCases } from './couplingCases';

export const contract: OpContract = {
  module: 'affineCouplingInverse',
  native: ['affine_coupling_inverse', 'affine_coupling_inverse_grad'],
  cases: couplingCases(true, (y, params, options) => {
    const { x, logDet } = affineCouplingInverse(y, params, options);
    return [x, logDet];
  }),
  errors: [
    {
      name: 'type of params',
      run: () => affineCouplingInverse(f32([2, 3]), ofType([2, 4], 'float64')),
      code: 'DTYPE',
      says: /\[affineCouplingInverse\] params: expected float32, got float64/,
    },
    {
      name: 'gain of another width',
      run: () => affineCouplingInverse(f32([2, 3]), f32([2, 4]), { gain: f32([3]) }),
      code: 'SHAPE',
      says: /gain: expected shape \[2\], got \[3\]/,
    },
  ],
};

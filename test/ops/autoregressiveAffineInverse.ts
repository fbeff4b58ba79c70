import { autoregressiveAffineInverse } from '../../lib/ops';
import type { OpContract } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import { affineCases } from './affineCases';

export const contract: OpContract = {
  module: 'autoregressiveAffineInverse',
  native: ['autoregressive_affine_inverse', 'autoregressive_affine_inverse_grad'],
  cases: affineCases(true, (y, params, scale) => {
    const { x, logDet } = autoregressiveAffineInverse(y, params, { scale });
    return [x, logDet];
  }),
  errors: [
    {
      name: 'type of params',
      run: () => autoregressiveAffineInverse(f32([2, 3]), ofType([2, 6], 'float64')),
      code: 'DTYPE',
      says: /\[autoregressiveAffineInverse\] params: expected float32, got float64/,
    },
  ],
};

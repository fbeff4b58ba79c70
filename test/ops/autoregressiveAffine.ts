import { autoregressiveAffine } from '../../lib/ops';
import type { OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import { affineCases } from './affineCases';

export const contract: OpContract = {
  module: 'autoregressiveAffine',
  native: ['autoregressive_affine', 'autoregressive_affine_grad'],
  cases: affineCases(false, (x, params, scale) => {
    const { y, logDet } = autoregressiveAffine(x, params, { scale });
    return [y, logDet];
  }),
  errors: [
    {
      name: 'params',
      run: () => autoregressiveAffine(f32([2, 3]), f32([2, 3])),
      code: 'SHAPE',
      says: /\[autoregressiveAffine\] params: expected shape \[2, 6\], got \[2, 3\]/,
    },
    {
      name: 'bound',
      run: () =>
        autoregressiveAffine(f32([2, 3]), f32([2, 6]), { scale: { kind: 'tanh', bound: 0 } }),
      code: 'ARGUMENT',
      says: /scale.bound: expected a positive number, got 0/,
    },
    {
      name: 'bias of the gate',
      run: () =>
        autoregressiveAffine(f32([2, 3]), f32([2, 6]), {
          scale: { kind: 'gate', bias: Number.NaN },
        }),
      code: 'ARGUMENT',
      says: /scale.bias: expected a finite number, got NaN/,
    },
  ],
};

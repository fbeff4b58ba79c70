/** The contract rows of every op. */
import type { OpContract } from '../contract/opCase';
import { contract as activationGrad } from './activationGrad';
import { contract as affineScalar } from './affineScalar';
import { contract as autoregressiveAffine } from './autoregressiveAffine';
import { contract as autoregressiveAffineInverse } from './autoregressiveAffineInverse';
import { contract as linear } from './linear';
import { contract as maskedLinear } from './maskedLinear';
import { contract as maskedLinearGradInput } from './maskedLinearGradInput';
import { contract as maskedLinearGradWeight } from './maskedLinearGradWeight';
import { contract as matmul } from './matmul';
import { contract as unary } from './unary';

export const contracts: readonly OpContract[] = [
  affineScalar,
  unary,
  activationGrad,
  autoregressiveAffine,
  autoregressiveAffineInverse,
  linear,
  maskedLinear,
  maskedLinearGradInput,
  maskedLinearGradWeight,
  matmul,
];

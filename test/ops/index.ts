/** The contract rows of every op. */
import type { OpContract } from '../contract/opCase';
import { contract as activationGrad } from './activationGrad';
import { contract as activationSlope } from './activationSlope';
import { contract as adam } from './adam';
import { contract as affineCoupling } from './affineCoupling';
import { contract as affineCouplingInverse } from './affineCouplingInverse';
import { contract as affineScalar } from './affineScalar';
import { contract as autoregressiveAffine } from './autoregressiveAffine';
import { contract as autoregressiveAffineInverse } from './autoregressiveAffineInverse';
import { contract as batchInverse } from './batchInverse';
import { contract as batchNorm } from './batchNorm';
import { contract as binary } from './binary';
import { contract as blockInverse } from './blockInverse';
import { contract as blockMatmul } from './blockMatmul';
import { contract as channelAffine } from './channelAffine';
import { contract as checkerboard } from './checkerboard';
import { contract as checkFinite } from './checkFinite';
import { contract as clip } from './clip';
import { contract as columns } from './columns';
import { contract as conv2d } from './conv2d';
import { contract as convStack } from './convStack';
import { contract as discrete } from './discrete';
import { contract as ema } from './ema';
import { contract as fill } from './fill';
import { contract as gatedActivation } from './gatedActivation';
import { contract as gatherColumns } from './gatherColumns';
import { contract as gatherRows } from './gatherRows';
import { contract as gradNorm } from './gradNorm';
import { contract as householder } from './householder';
import { contract as linear } from './linear';
import { contract as logProb } from './logProb';
import { contract as luCompose } from './luCompose';
import { contract as luFactor } from './luFactor';
import { contract as luInverse } from './luInverse';
import { contract as luSolve } from './luSolve';
import { contract as madeInverse } from './madeInverse';
import { contract as maskedLinear } from './maskedLinear';
import { contract as maskedLinearGradInput } from './maskedLinearGradInput';
import { contract as maskedLinearGradWeight } from './maskedLinearGradWeight';
import { contract as matmul } from './matmul';
import { contract as mlp } from './mlp';
import { contract as monotone } from './monotone';
import { contract as monotoneInverse } from './monotoneInverse';
import { contract as random } from './random';
import { contract as reduce } from './reduce';
import { contract as reshape } from './reshape';
import { contract as residualSeries } from './residualSeries';
import { contract as scaleWeights } from './scaleWeights';
import { contract as sgd } from './sgd';
import { contract as spatialLstm } from './spatialLstm';
import { contract as spline } from './spline';
import { contract as squeeze } from './squeeze';
import { contract as sum } from './sum';
import { contract as sylvester } from './sylvester';
import { contract as triangularSolve } from './triangularSolve';
import { contract as unary } from './unary';
import { contract as wavefrontSolve } from './wavefrontSolve';
import { contract as waveGenerate } from './waveGenerate';
import { contract as waveStack } from './waveStack';
import { contract as weightNorm } from './weightNorm';
import { contract as where } from './where';

export const contracts: readonly OpContract[] = [
  activationGrad,
  affineCoupling,
  affineCouplingInverse,
  affineScalar,
  autoregressiveAffine,
  autoregressiveAffineInverse,
  batchNorm,
  binary,
  channelAffine,
  checkerboard,
  columns,
  conv2d,
  convStack,
  discrete,
  fill,
  gatedActivation,
  gatherColumns,
  gatherRows,
  linear,
  logProb,
  luCompose,
  luFactor,
  luSolve,
  luInverse,
  householder,
  maskedLinear,
  maskedLinearGradInput,
  maskedLinearGradWeight,
  matmul,
  mlp,
  monotone,
  monotoneInverse,
  random,
  reduce,
  reshape,
  scaleWeights,
  spline,
  spatialLstm,
  squeeze,
  sum,
  sylvester,
  triangularSolve,
  unary,
  waveGenerate,
  waveStack,
  weightNorm,
  where,
  adam,
  sgd,
  ema,
  gradNorm,
  clip,
  checkFinite,
  madeInverse,
  activationSlope,
  batchInverse,
  residualSeries,
  wavefrontSolve,
  blockInverse,
  blockMatmul,
];

/** Ops that update tensors in place or run without a tape: rows of the registry and the test in this folder that has them. */
export const testedApart: Readonly<Record<string, string>> = {
  adam: 'optimizers.test.ts',
  sgd: 'optimizers.test.ts',
  ema: 'optimizers.test.ts',
  grad_norm: 'optimizers.test.ts',
  clip: 'optimizers.test.ts',
  check_finite: 'optimizers.test.ts',
  made_inverse: 'madeInverse.test.ts',
  pixel_sample: '../models/pixel.test.ts',
  made_inverse_grad: 'madeInverse.test.ts',
};

/**
 * One row a bijection: the contract (contract.test.ts) and the save/load test take all of them.
 * Add a row for each new bijection to the file of its family; every row needs parameters that are random, signed and far from
 * the identity.
 */
import { autoregressiveCases } from './autoregressive';
import type { BijectionCase } from './case';
import { chainCases } from './chains';
import { channelCases } from './channels';
import { continuousCases } from './continuous';
import { convolutionCases } from './convolutions';
import { couplingCases } from './couplings';
import { elementwiseCases } from './elementwise';
import { finiteCases } from './finite';
import { linearCases } from './linear';
import { residualCases } from './residual';
import { splineCases } from './splines';
import { transformerCases } from './transformers';

export { type BijectionCase, randomize, randomized } from './case';

export const bijectionCases: readonly BijectionCase[] = [
  ...continuousCases,
  ...residualCases,
  ...convolutionCases,
  ...channelCases,
  ...autoregressiveCases,
  ...linearCases,
  ...finiteCases,
  ...chainCases,
  ...couplingCases,
  ...elementwiseCases,
  ...splineCases,
  ...transformerCases,
];

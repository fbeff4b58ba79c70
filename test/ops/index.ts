/** The contract rows of every op. */
import type { OpContract } from '../contract/opCase';
import { contract as affineScalar } from './affineScalar';
import { contract as unary } from './unary';

export const contracts: readonly OpContract[] = [affineScalar, unary];

/** The matrices of linear maps in LU form: those of all maps of a model are made in one instruction. */
import type { Derivation } from '../nn/derived';
import { type LuComposed, type LuTriangles, luComposeAll, luInverseAll } from '../ops';
import type { Tensor } from '../tensor/tensor';

/** The matrix, and log|det W| as float64 []. */
export type LuWeights = readonly [weight: Tensor, logAbsDet: Tensor];

const parameters = ({ factors, logScale }: LuTriangles) => [factors, logScale];
const pairs = (all: readonly LuComposed[]) =>
  all.map(({ weight, logAbsDet }): LuWeights => [weight, logAbsDet]);

/** W. */
export const composing: Derivation<LuTriangles, LuWeights> = {
  parameters,
  make: (all) => pairs(luComposeAll(all)),
};

/** W⁻¹, of up to `luInverseChannels` channels. */
export const inverting: Derivation<LuTriangles, LuWeights> = {
  parameters,
  make: (all) => pairs(luInverseAll(all)),
};

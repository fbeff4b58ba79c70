/** Recipe: continuous flows. Grathwohl et al. 2019, "FFJORD"; Finlay et al. 2020, "How to Train Your Neural ODE". */
import type { Bijection } from '../bijections/bijection';
import { Chain } from '../bijections/chain';
import {
  ContinuousFlow,
  type ContinuousFlowOptions,
  continuousFlowRules,
} from '../bijections/continuousFlow';
import { withoutUndefined } from '../nn/module';
import { VectorField, type VectorFieldOptions, vectorFieldRules } from '../nn/vectorField';
import { checkOptions, depth, type Rules } from '../options';
import { requireSize } from '../shape';
import type { Flow } from './flow';
import { flowOf, type RecipeOptions, recipeRules, seedOf } from './recipe';

export interface FfjordOptions
  extends VectorFieldOptions,
    Omit<ContinuousFlowOptions, 'field' | 'seed'>,
    RecipeOptions {
  /** K: solutions one after another, each with a field of its own; default 1, which is what flow matching trains. */
  readonly transforms?: number;
}

const { field: _field, ...solveRules } = continuousFlowRules;

const ffjordRules: Rules<FfjordOptions> = {
  ...recipeRules,
  ...vectorFieldRules,
  ...solveRules,
  transforms: depth,
};

/**
 * FFJORD: rows flow along dz/dt = f(z, t) from the noise at t = 0 to the data at t = 1. Scoring and sampling are a solve each: some
 * tens of evaluations of a network. Trained by maximum likelihood (`fit`), or without a solve by `flowMatching`.
 */
export function ffjord(options: FfjordOptions): Flow {
  checkOptions('ffjord', options, ffjordRules);
  const { features, hidden, time, activation, contextFeatures, dtype, seed = 0 } = options;
  const { endTime, training, use, gradient, trainingTrace, useTrace, regularization } = options;
  const { transforms = 1 } = options;
  requireSize('ffjord', 'transforms', transforms);
  const network = { features, hidden, time, activation, contextFeatures, dtype };
  const solve = { endTime, training, use, gradient, trainingTrace, useTrace, regularization };
  const flows = Array.from({ length: transforms }, (_, k): Bijection => {
    const its = seedOf(seed, k);
    const field = new VectorField({
      ...withoutUndefined(network),
      seed: its,
    } as VectorFieldOptions);
    return new ContinuousFlow({ field, ...withoutUndefined(solve), seed: its });
  });
  const bijection = flows.length === 1 ? (flows[0] as Bijection) : new Chain(flows, features);
  return flowOf(bijection, options, dtype ?? 'float32');
}

/** Recipe: unconstrained monotonic networks. */
import { type UmnnOptions, UmnnTransformer } from '../bijections/umnnTransformer';
import { above0, checkOptions, count, type Rules, widths } from '../options';
import {
  type AutoregressiveFlowOptions,
  autoregressiveFlowRules,
  transformerFlow,
} from './autoregressive';
import type { Flow } from './flow';

export interface UmnnFlowOptions
  extends AutoregressiveFlowOptions,
    Pick<UmnnOptions, 'embedding' | 'quadratureSteps' | 'bound' | 'leastSlope'> {
  /** Hidden layers of the integrand's network, of which each transform has one; default [50, 50]. */
  readonly integrand?: readonly number[];
}

const umnnFlowRules: Rules<UmnnFlowOptions> = {
  ...autoregressiveFlowRules,
  integrand: widths,
  embedding: count,
  quadratureSteps: count,
  bound: above0,
  leastSlope: above0,
};

/**
 * Autoregressive flow of unconstrained monotonic networks (Wehenkel and Louppe 2019). Scoring is one pass of the MADE and one of
 * the integrand's network at the nodes of the quadrature; sampling is about one pass of the MADE, and the roots.
 */
export function umnn(options: UmnnFlowOptions): Flow {
  checkOptions('umnn', options, umnnFlowRules);
  const {
    integrand = [50, 50],
    embedding = 8,
    quadratureSteps = 24,
    bound = 10,
    leastSlope = 1e-3,
    ...rest
  } = options;
  const { seed = 0, dtype = 'float32' } = rest;
  const network = { hidden: integrand, embedding, quadratureSteps, bound, leastSlope, dtype };
  let count = 0;
  return transformerFlow(
    rest,
    () => new UmnnTransformer({ ...network, seed: seed + 31 * ++count }),
    'umnn',
  );
}

/** Recipes: neural autoregressive, sum-of-squares and Bernstein flows. */
import { MonotoneTransformer } from '../bijections/monotoneTransformer';
import { above0, checkOptions, count, type Rules, rule } from '../options';
import {
  type AutoregressiveFlowOptions,
  autoregressiveFlowRules,
  transformerFlow,
} from './autoregressive';
import type { Flow } from './flow';

export interface NafOptions extends AutoregressiveFlowOptions {
  /** K: sigmoids of a dimension, and numbers of its hidden layers where there are any. Default 16. */
  readonly sigmoids?: number;
  /** Layers of each dimension's own network: 1 (default) is the DSF, more the DDSF. */
  readonly sigmoidLayers?: number;
  /** The smallest slope of a sigmoid's argument; default 1e-3. */
  readonly leastSlope?: number;
}

const nafRules: Rules<NafOptions> = {
  ...autoregressiveFlowRules,
  sigmoids: count,
  sigmoidLayers: count,
  leastSlope: above0,
};

/**
 * Neural autoregressive flow (Huang et al. 2018): each dimension goes through a small monotone network, whose weights a MADE
 * makes of the dimensions before. Scoring and training are one pass; sampling is the incremental inverse, about one
 * pass, and the roots of all samples side by side.
 */
export function naf(options: NafOptions): Flow {
  checkOptions('naf', options, nafRules);
  const { sigmoids = 16, sigmoidLayers = 1, leastSlope = 1e-3, ...rest } = options;
  const family = { kind: 'dsf', hidden: sigmoids, layers: sigmoidLayers, leastSlope } as const;
  return transformerFlow(rest, () => new MonotoneTransformer(family), 'naf');
}

export interface SosFlowOptions extends AutoregressiveFlowOptions {
  /** Squares that are added up; default 4. */
  readonly squares?: number;
  /** R: degree of the polynomials that are squared; the map has the degree 2·R + 1. Default 3. */
  readonly degree?: number;
  /**
   * Beyond ±bound the map goes on as its tangent; default 4: of standardised data few rows are beyond, and what a polynomial of degree 7
   * says of those has no measure. Infinity: the paper's polynomial everywhere.
   */
  readonly bound?: number;
  /** The smallest slope; default 1e-3. */
  readonly leastSlope?: number;
}

const sosFlowRules: Rules<SosFlowOptions> = {
  ...autoregressiveFlowRules,
  squares: count,
  degree: count,
  bound: rule('a number above 0', (value) => typeof value === 'number' && value > 0),
  leastSlope: above0,
};

/** Sum-of-squares polynomial flow (Jaini et al. 2019). Scoring is one pass; sampling about one pass and the roots. */
export function sosFlow(options: SosFlowOptions): Flow {
  checkOptions('sosFlow', options, sosFlowRules);
  const { squares = 4, degree = 3, bound = 4, leastSlope = 1e-3, ...rest } = options;
  const family = { kind: 'sumOfSquares', squares, degree, bound, leastSlope } as const;
  return transformerFlow(rest, () => new MonotoneTransformer(family), 'sosFlow');
}

export interface BernsteinFlowOptions extends AutoregressiveFlowOptions {
  /** M; default 16. */
  readonly degree?: number;
  /** The polynomial covers ±bound and goes on as its tangents; default 10. */
  readonly bound?: number;
  /** The smallest slope; default 1e-3. */
  readonly leastSlope?: number;
}

const bernsteinFlowRules: Rules<BernsteinFlowOptions> = {
  ...autoregressiveFlowRules,
  degree: count,
  bound: above0,
  leastSlope: above0,
};

/** Bernstein polynomial flow (Ramasinghe et al. 2021). Scoring is one pass; sampling about one pass and the roots. */
export function bernsteinFlow(options: BernsteinFlowOptions): Flow {
  checkOptions('bernsteinFlow', options, bernsteinFlowRules);
  const { degree = 16, bound = 10, leastSlope = 1e-3, ...rest } = options;
  const family = { kind: 'bernstein', degree, bound, leastSlope } as const;
  return transformerFlow(rest, () => new MonotoneTransformer(family), 'bernsteinFlow');
}

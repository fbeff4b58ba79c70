/** Recipes: planar, radial and Sylvester flows. */
import type { Bijection } from '../bijections/bijection';
import { Chain } from '../bijections/chain';
import { Invert } from '../bijections/invert';
import { Planar, type PlanarOptions, planarRules as planarMapRules } from '../bijections/planar';
import { Radial, type RadialOptions, radialRules as radialMapRules } from '../bijections/radial';
import {
  Sylvester,
  type SylvesterOptions,
  sylvesterRules as sylvesterMapRules,
} from '../bijections/sylvester';
import { checkOptions, depth, picked, type Rules, word } from '../options';
import { requireSize } from '../shape';
import type { Flow } from './flow';
import { flowOf, type RecipeOptions, recipeRules, seedOf } from './recipe';

interface FiniteFlowOptions extends RecipeOptions {
  /** K: maps one after another; default 8. */
  readonly transforms?: number;
  /**
   * Which direction is the map itself: 'forward' (default) scores and trains on data; 'inverse' samples, as in the papers,
   * where the flow is a posterior that is trained by its own draws (`fitReverseKl`). The other one goes through the inverse.
   */
  readonly fastDirection?: 'forward' | 'inverse';
}

export type PlanarFlowOptions = FiniteFlowOptions & PlanarOptions;
export type RadialFlowOptions = FiniteFlowOptions & RadialOptions;
export type SylvesterFlowOptions = FiniteFlowOptions & Omit<SylvesterOptions, 'reversed'>;

function chainOf(
  where: string,
  options: FiniteFlowOptions & PlanarOptions,
  make: (k: number, seed: number) => Bijection,
): Flow {
  const { transforms = 8, features, seed = 0, dtype = 'float32' } = options;
  requireSize(where, 'transforms', transforms);
  const chain = new Chain(
    Array.from({ length: transforms }, (_, k) => make(k, seedOf(seed, k))),
    features,
  );
  const isInverse = options.fastDirection === 'inverse';
  return flowOf(isInverse ? new Invert(chain) : chain, options, dtype);
}

const finiteRules: Rules<FiniteFlowOptions> = {
  ...recipeRules,
  transforms: depth,
  fastDirection: word('forward', 'inverse'),
};

const { reversed: _reversed, ...mapRules } = sylvesterMapRules;

const planarRules: Rules<PlanarFlowOptions> = {
  ...finiteRules,
  ...planarMapRules,
};

/**
 * Planar flow (Rezende and Mohamed 2015): K maps x + û·h(wᵀx + b). Each stretches space along one direction only, so that
 * many are needed; paper: 2 to 80. Context: `contextFeatures`, and `hidden` for a network that reads it.
 */
export function planar(options: PlanarFlowOptions): Flow {
  checkOptions('planar', options, planarRules);
  return chainOf(
    'planar',
    options,
    (_, seed) => new Planar({ ...picked(options, planarMapRules), seed }),
  );
}

const radialRules: Rules<RadialFlowOptions> = {
  ...finiteRules,
  ...radialMapRules,
};

/** Radial flow (Rezende and Mohamed 2015): K maps that draw space to a point or push it away. Both directions are closed. */
export function radial(options: RadialFlowOptions): Flow {
  checkOptions('radial', options, radialRules);
  return chainOf(
    'radial',
    options,
    (_, seed) => new Radial({ ...picked(options, radialMapRules), seed }),
  );
}

const sylvesterRules: Rules<SylvesterFlowOptions> = {
  ...finiteRules,
  ...mapRules,
};

/**
 * Sylvester flow (van den Berg et al. 2018): planar flows of M directions. Paper, as posteriors of 64 dimensions: 4 to 16
 * maps; orthogonal with M = 8 to 32, Householder with 8 reflections, triangular with the order reversed in turns.
 */
export function sylvester(options: SylvesterFlowOptions): Flow {
  checkOptions('sylvester', options, sylvesterRules);
  return chainOf(
    'sylvester',
    options,
    (k, seed) =>
      new Sylvester({
        ...picked(options, mapRules),
        ...(options.basis === 'triangular' && { reversed: k % 2 === 1 }),
        seed,
      }),
  );
}

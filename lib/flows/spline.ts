/** Recipes: neural spline flows. Durkan, Bekasov, Murray, Papamakarios 2019. */
import type { CouplingSplit } from '../bijections/affineCoupling';
import { Autoregressive, type AutoregressiveOptions } from '../bijections/autoregressive';
import type { Bijection } from '../bijections/bijection';
import { Chain } from '../bijections/chain';
import { Coupling, couplingSizes } from '../bijections/coupling';
import { LuLinear } from '../bijections/luLinear';
import { Permutation } from '../bijections/permutation';
import { SplineTransformer } from '../bijections/splineTransformer';
import { madeRules } from '../nn/made';
import { Mlp, type MlpOptions } from '../nn/mlp';
import type { SplineOptions } from '../ops';
import { checkOptions, count, depth, object, type Rules, required, widths, word } from '../options';
import { requireSize } from '../shape';
import { oneOf } from './choice';
import { networkRules } from './coupling';
import type { Flow } from './flow';
import { flowOf, ownOptions, type RecipeOptions, recipeRules, seedOf } from './recipe';

interface SplineFlowOptions extends RecipeOptions {
  /** D. */
  readonly features: number;
  /** Hidden layers of each network; with `residual` an odd number of one width. */
  readonly hidden: readonly number[];
  /** The spline: kind, bins, bound, tails. Default rational-quadratic, 8 bins on [−3, 3], linear tails. */
  readonly spline?: SplineOptions;
}

export interface NsfOptions
  extends SplineFlowOptions,
    Pick<
      MlpOptions,
      'activation' | 'residual' | 'contextFeatures' | 'zeroInitialized' | 'seed' | 'dtype'
    > {
  /** K: couplings; default 10, the paper's for tables. */
  readonly transforms?: number;
  /** Before each coupling: a learned linear map (default, as in the paper), a fixed random order, or the halves change places. */
  readonly permutation?: 'lu' | 'random' | 'swap';
}

export interface NsfAutoregressiveOptions
  extends SplineFlowOptions,
    Omit<AutoregressiveOptions, 'features' | 'hidden' | 'transformer'> {
  /** K: autoregressive transforms; default 5. */
  readonly transforms?: number;
  /** Between two of them; default reverse. */
  readonly permutation?: 'lu' | 'reverse' | 'random' | 'none';
}

/** From the seed of a transform's network to that of what mixes the features before it. */
const apart = 15485863;

const nsfRules: Rules<NsfOptions> = {
  ...recipeRules,
  ...networkRules,
  features: required(count),
  hidden: required(widths),
  spline: object,
  transforms: depth,
  permutation: word('lu', 'random', 'swap'),
};

/**
 * RQ-NSF (C): couplings whose transformer is a spline, a linear map before each. Scoring, sampling and training are one pass.
 * Paper: 10 or 20 couplings, two residual blocks of 32 to 256 units, 8 bins on [−3, 3], data of mean 0 and deviation 1.
 */
export function nsf(options: NsfOptions): Flow {
  checkOptions('nsf', options, nsfRules);
  const {
    features,
    transforms = 10,
    permutation = 'lu',
    hidden,
    seed = 0,
    dtype = 'float32',
  } = options;
  requireSize('nsf', 'transforms', transforms);
  oneOf('nsf', 'permutation', permutation, ['lu', 'random', 'swap']);
  const { activation = 'relu', residual = false, zeroInitialized = true } = options;
  const bijections: Bijection[] = [];
  for (let k = 0; k < transforms; k++) {
    const own = seedOf(seed, k);
    const mixed = own + apart;
    if (permutation === 'lu')
      bijections.push(new LuLinear({ channels: features, seed: mixed, dtype }));
    if (permutation === 'random') bijections.push(Permutation.random(features, mixed));
    const transformer = new SplineTransformer(options.spline);
    const split: CouplingSplit = {
      kind: 'columns',
      transformed: permutation === 'swap' && k % 2 === 1 ? 'first' : 'second',
    };
    const conditioner = new Mlp({
      ...couplingSizes(features, split, transformer),
      hidden,
      activation,
      residual,
      zeroInitialized,
      contextFeatures: options.contextFeatures ?? 0,
      seed: own,
      dtype,
    });
    bijections.push(new Coupling({ channels: features, split, transformer, conditioner, dtype }));
  }
  return flowOf(new Chain(bijections, features), options, dtype);
}

const { outputsPerFeature: _outputs, ...madeNetworkRules } = madeRules;

const nsfAutoregressiveRules: Rules<NsfAutoregressiveOptions> = {
  ...recipeRules,
  ...madeNetworkRules,
  spline: object,
  transforms: depth,
  permutation: word('lu', 'reverse', 'random', 'none'),
};

/**
 * RQ-NSF (AR): autoregressive splines. Scoring and training are one pass; sampling is the incremental inverse, about one
 * pass too.
 */
export function nsfAutoregressive(options: NsfAutoregressiveOptions): Flow {
  checkOptions('nsfAutoregressive', options, nsfAutoregressiveRules);
  const {
    features,
    transforms = 5,
    permutation = 'reverse',
    seed = 0,
    dtype = 'float32',
  } = options;
  requireSize('nsfAutoregressive', 'transforms', transforms);
  oneOf('nsfAutoregressive', 'permutation', permutation, ['lu', 'reverse', 'random', 'none']);
  const {
    transforms: _transforms,
    permutation: _permutation,
    spline: _spline,
    ...network
  } = ownOptions(options);
  const bijections: Bijection[] = [];
  for (let k = 0; k < transforms; k++) {
    const own = seedOf(seed, k);
    const mixed = own + apart;
    if (permutation === 'lu')
      bijections.push(new LuLinear({ channels: features, seed: mixed, dtype }));
    else if (k > 0 && permutation === 'reverse') bijections.push(Permutation.reverse(features));
    else if (k > 0 && permutation === 'random')
      bijections.push(Permutation.random(features, mixed));
    const transformer = new SplineTransformer(options.spline);
    bijections.push(new Autoregressive({ ...network, transformer, dtype, seed: own }));
  }
  return flowOf(new Chain(bijections, features), options, dtype);
}

/** Recipes: coupling flows on tables. */
import { Affine } from '../bijections/affine';
import {
  AffineCoupling,
  type CouplingScaleOption,
  type CouplingSplit,
  conditionerSizes,
} from '../bijections/affineCoupling';
import { BatchNorm } from '../bijections/batchNorm';
import type { Bijection } from '../bijections/bijection';
import { Chain } from '../bijections/chain';
import { Permutation } from '../bijections/permutation';
import { type Distribution, StandardLogistic } from '../distributions';
import { Mlp, type MlpOptions, mlpRules } from '../nn/mlp';
import {
  checkOptions,
  count,
  depth,
  flag,
  object,
  type Rules,
  required,
  widths,
  word,
} from '../options';
import { requireSize } from '../shape';
import { oneOf } from './choice';
import type { Flow } from './flow';
import { flowOf, type RecipeOptions, recipeRules, seedOf } from './recipe';

/** What both recipes share. */
interface CouplingFlowOptions
  extends Pick<
      MlpOptions,
      'activation' | 'residual' | 'contextFeatures' | 'zeroInitialized' | 'seed' | 'dtype'
    >,
    RecipeOptions {
  /** D, 2 at least. */
  readonly features: number;
}

export interface RealNvpOptions extends CouplingFlowOptions {
  /** Hidden layers of each network. */
  readonly hidden: readonly number[];
  /** K: couplings; default 8. */
  readonly transforms?: number;
  /** Default tanh with a learned gain a column. */
  readonly scale?: CouplingScaleOption;
  /** Batch norm after each coupling, as in the MAF paper's RealNVP. Default false. */
  readonly batchNorm?: boolean;
  /**
   * What happens between two couplings: 'swap' (default): the other half is transformed; 'random': so it is, and before it
   * the columns are mixed by a random permutation, so that a column meets more than one partition.
   */
  readonly permutation?: 'swap' | 'random';
}

export interface NiceOptions extends CouplingFlowOptions {
  /** Hidden layers of each network; default five of 1000, the paper's for MNIST. */
  readonly hidden?: readonly number[];
  /** K: couplings; default 4, as in the paper. */
  readonly transforms?: number;
  /** Default: the logistic prior of the paper. */
  readonly base?: Distribution;
}

/** Coupling k transforms the second half where k is even, else the first. */
function couplingOf(
  k: number,
  options: RealNvpOptions,
  scale: CouplingScaleOption,
): AffineCoupling {
  const { features, hidden, contextFeatures = 0, seed = 0, dtype = 'float32' } = options;
  const { activation = 'relu', residual = false, zeroInitialized = true } = options;
  const split: CouplingSplit = { kind: 'columns', transformed: k % 2 === 0 ? 'second' : 'first' };
  const conditioner = new Mlp({
    ...conditionerSizes(features, split, scale),
    hidden,
    activation,
    residual,
    zeroInitialized,
    contextFeatures,
    seed: seedOf(seed, k),
    dtype,
  });
  return new AffineCoupling({ channels: features, split, scale, conditioner, dtype });
}

/** Of the networks of couplings. */
export const networkRules = {
  activation: mlpRules.activation,
  residual: mlpRules.residual,
  contextFeatures: mlpRules.contextFeatures,
  zeroInitialized: mlpRules.zeroInitialized,
  seed: mlpRules.seed,
  dtype: mlpRules.dtype,
};

const realnvpRules: Rules<RealNvpOptions> = {
  ...recipeRules,
  ...networkRules,
  features: required(count),
  hidden: required(widths),
  transforms: depth,
  scale: object,
  batchNorm: flag,
  permutation: word('swap', 'random'),
};

/**
 * RealNVP for tables (Dinh et al. 2017): affine couplings of alternating halves, s = exp(gain·tanh). Scoring, sampling and
 * training are one pass each. MAF paper: 5 or 10 couplings, two hidden layers of 100 to 1024 units, batch norm.
 */
export function realnvp(options: RealNvpOptions): Flow {
  checkOptions('realnvp', options, realnvpRules);
  const { features, transforms = 8, seed = 0, dtype = 'float32' } = options;
  const { permutation = 'swap', batchNorm = false, scale = { kind: 'tanh' } } = options;
  requireSize('realnvp', 'transforms', transforms);
  oneOf('realnvp', 'permutation', permutation, ['swap', 'random']);
  const bijections: Bijection[] = [];
  for (let k = 0; k < transforms; k++) {
    if (k > 0 && permutation === 'random')
      bijections.push(Permutation.random(features, seed + 7919 * k));
    bijections.push(couplingOf(k, options, scale));
    if (batchNorm) bijections.push(new BatchNorm({ features, dtype }));
  }
  return flowOf(new Chain(bijections, features), options, dtype);
}

const niceRules: Rules<NiceOptions> = {
  ...recipeRules,
  ...networkRules,
  features: required(count),
  hidden: widths,
  transforms: depth,
};

/**
 * NICE (Dinh et al. 2015): additive couplings of the even and the odd columns in turn, then a learned scale of each column,
 * under a logistic prior. Paper: four couplings; networks of 5 × 1000 (MNIST), 4 × 5000 (TFD), 4 × 2000 (SVHN, CIFAR-10).
 *
 * The columns are sorted into even and odd ones once, at the entry: each coupling then reads and writes a range of columns.
 * The paper's prior and scales treat all columns alike, so nothing is sorted back.
 */
export function nice(options: NiceOptions): Flow {
  checkOptions('nice', options, niceRules);
  const { features, transforms = 4, dtype = 'float32' } = options;
  const { hidden = Array.from({ length: 5 }, () => 1000) } = options;
  requireSize('nice', 'transforms', transforms);
  const evenFirst = [0, 1].flatMap((odd) =>
    Array.from({ length: Math.floor((features - odd + 1) / 2) }, (_, k) => 2 * k + odd),
  );
  const zeros = new Float64Array(features);
  const bijections = [
    new Permutation(evenFirst),
    ...Array.from({ length: transforms }, (_, k) =>
      couplingOf(k, { ...options, hidden }, { kind: 'additive' }),
    ),
    new Affine({ logScale: zeros, shift: zeros, learned: 'scale', dtype }),
  ];
  const { base = new StandardLogistic(features, dtype) } = options;
  return flowOf(new Chain(bijections, features), { ...options, base });
}

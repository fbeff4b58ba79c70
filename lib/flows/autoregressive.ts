/** Recipes: masked and inverse autoregressive flows. */
import { Autoregressive } from '../bijections/autoregressive';
import { BatchNorm } from '../bijections/batchNorm';
import type { Bijection } from '../bijections/bijection';
import { Chain } from '../bijections/chain';
import { Invert } from '../bijections/invert';
import {
  MaskedAutoregressive,
  type MaskedAutoregressiveOptions,
} from '../bijections/maskedAutoregressive';
import type { Transformer } from '../bijections/transformer';
import type { MadeOptions } from '../nn/made';
import { madeRules } from '../nn/made';
import {
  callback,
  checkArgument,
  checkOptions,
  depth,
  flag,
  object,
  type Rules,
  word,
} from '../options';
import { requireSize } from '../shape';
import { oneOf } from './choice';
import type { Flow, SamplingFlow, ScoringFlow } from './flow';
import {
  flowOf,
  orderBefore,
  orders,
  ownOptions,
  type RecipeOptions,
  recipeRules,
  seedOf,
} from './recipe';

/** What chains of autoregressive maps share, whatever the map. */
export interface AutoregressiveFlowOptions
  extends Omit<MadeOptions, 'outputsPerFeature'>,
    RecipeOptions {
  /** K: autoregressive transforms; default 5. */
  readonly transforms?: number;
  /** Batch norm after each transform. Default false. */
  readonly batchNorm?: boolean;
  /** What happens to the order of the features between two transforms; default reverse. */
  readonly permutation?: (typeof orders)[number];
}

export interface MafOptions
  extends AutoregressiveFlowOptions,
    Pick<MaskedAutoregressiveOptions, 'scale'> {}

type MadeNetworkOptions = Omit<MadeOptions, 'outputsPerFeature'>;

/** K maps, each with a seed of its own, with the order of the features changed between them. */
function autoregressiveChain<O extends AutoregressiveFlowOptions>(
  where: string,
  options: O,
  make: (network: Omit<O, keyof AutoregressiveFlowOptions> & MadeNetworkOptions) => Bijection,
): Chain {
  const {
    transforms = 5,
    batchNorm = false,
    permutation = 'reverse',
    seed = 0,
    features,
    dtype = 'float32',
    ...network
  } = ownOptions<AutoregressiveFlowOptions>(options);
  requireSize(where, 'transforms', transforms);
  oneOf(where, 'permutation', permutation, orders);
  const bijections: Bijection[] = [];
  for (let k = 0; k < transforms; k++) {
    const own = { ...network, features, dtype, seed: seedOf(seed, k) };
    bijections.push(
      ...orderBefore(k, permutation, features, seed),
      make(own as unknown as Parameters<typeof make>[0]),
    );
    if (batchNorm) bijections.push(new BatchNorm({ features, dtype }));
  }
  return new Chain(bijections, features);
}

const mafChain = (where: string, options: MafOptions) =>
  autoregressiveChain(where, options, (network) => new MaskedAutoregressive(network));

const { outputsPerFeature: _outputs, ...networkRules } = madeRules;

/** What each of them must be. */
export const autoregressiveFlowRules: Rules<AutoregressiveFlowOptions> = {
  ...recipeRules,
  ...networkRules,
  transforms: depth,
  batchNorm: flag,
  permutation: word(...orders),
};

const mafRules: Rules<MafOptions> = { ...autoregressiveFlowRules, scale: object };
const { transforms: _transforms, permutation: _permutation, ...madeFlowRules } = mafRules;

/**
 * A chain of autoregressive maps with any transformer, made anew for each of them: what the recipes of neural autoregressive,
 * polynomial and other flows are made of.
 */
export function transformerFlow(
  options: AutoregressiveFlowOptions,
  transformer: () => Transformer,
  where = 'transformerFlow',
): Flow {
  checkOptions(where, options, autoregressiveFlowRules);
  checkArgument(where, 'transformer', transformer, callback);
  const chain = autoregressiveChain(
    where,
    options,
    (network) => new Autoregressive({ ...network, transformer: transformer() }),
  );
  return flowOf(chain, options, options.dtype);
}

/**
 * Masked autoregressive flow (Papamakarios et al. 2017): K MADEs with the order reversed between them.
 * Scoring and training are one pass; sampling is the incremental inverse, about one pass too. With the same options,
 * seed and weights it is the inverse of {@link iaf}.
 */
export function maf(options: MafOptions): ScoringFlow {
  checkOptions('maf', options, mafRules);
  return flowOf(mafChain('maf', options), options, options.dtype) as ScoringFlow;
}

/**
 * Inverse autoregressive flow (Kingma et al. 2016) as a density: the chain of a MAF turned round. Sampling is one pass
 * and can be differentiated (reverse KL); scoring data uses the incremental inverse. With the same options, seed and weights
 * it is the inverse of {@link maf}.
 */
export function iaf(options: MafOptions): SamplingFlow {
  checkOptions('iaf', options, mafRules);
  return flowOf(new Invert(mafChain('iaf', options)), options, options.dtype) as SamplingFlow;
}

/** A single MADE with Gaussian conditionals (the MAF paper's "MADE" rows). */
export function made(options: Omit<MafOptions, 'transforms' | 'permutation'>): ScoringFlow {
  checkOptions('made', options, madeFlowRules);
  const whole = { ...options, transforms: 1 };
  return flowOf(mafChain('made', whole), whole, whole.dtype) as ScoringFlow;
}

/** Recipe: block neural autoregressive flows. */
import type { Bijection } from '../bijections/bijection';
import {
  BlockAutoregressive,
  type BlockAutoregressiveOptions,
  blockAutoregressiveRules,
} from '../bijections/blockAutoregressive';
import { Chain } from '../bijections/chain';
import { checkOptions, depth, type Rules, word } from '../options';
import { requireSize } from '../shape';
import { oneOf } from './choice';
import type { Flow } from './flow';
import { flowOf, orderBefore, orders, type RecipeOptions, recipeRules, seedOf } from './recipe';

export interface BlockNafOptions extends BlockAutoregressiveOptions, RecipeOptions {
  /** K; default 3. */
  readonly transforms?: number;
  /** What happens to the order of the features between two transforms; default reverse. */
  readonly permutation?: (typeof orders)[number];
}

const blockNafRules: Rules<BlockNafOptions> = {
  ...recipeRules,
  ...blockAutoregressiveRules,
  transforms: depth,
  permutation: word(...orders),
};

/**
 * Block neural autoregressive flow (De Cao et al. 2019): no conditioner, each transform is one network of block triangular weights.
 * Scoring and training are one pass; sampling is about one, and the roots of each dimension.
 */
export function blockNaf(options: BlockNafOptions): Flow {
  checkOptions('blockNaf', options, blockNafRules);
  const { features, hidden, contextFeatures = 0, seed = 0, dtype = 'float32' } = options;
  const { transforms = 3, permutation = 'reverse' } = options;
  requireSize('blockNaf', 'transforms', transforms);
  oneOf('blockNaf', 'permutation', permutation, orders);
  const bijections: Bijection[] = [];
  for (let k = 0; k < transforms; k++) {
    const network = { features, contextFeatures, seed: seedOf(seed, k), dtype };
    bijections.push(
      ...orderBefore(k, permutation, features, seed),
      new BlockAutoregressive(hidden ? { ...network, hidden } : network),
    );
  }
  return flowOf(new Chain(bijections, features), options, dtype);
}

/** Recipe: block neural autoregressive flows. */
import type { Bijection } from '../bijections/bijection';
import {
  BlockAutoregressive,
  type BlockAutoregressiveOptions,
} from '../bijections/blockAutoregressive';
import { Chain } from '../bijections/chain';
import { Permutation } from '../bijections/permutation';
import { requirePositions } from '../bijections/positions';
import { type Distribution, StandardNormal } from '../distributions';
import { oneOf } from './choice';
import { Flow, type FlowParts } from './flow';

export interface BlockNafOptions
  extends BlockAutoregressiveOptions,
    Pick<FlowParts, 'preprocessing' | 'dequantization' | 'description'> {
  /** K; default 3. */
  readonly transforms?: number;
  /** What happens to the order of the features between two transforms; default reverse. */
  readonly permutation?: 'reverse' | 'random' | 'none';
  /** Default: the standard normal. */
  readonly base?: Distribution;
}

/**
 * Block neural autoregressive flow (De Cao et al. 2019): no conditioner, each transform is one network of block triangular weights.
 * Scoring and training are one pass; sampling takes some ten passes a dimension.
 */
export function blockNaf(options: BlockNafOptions): Flow {
  const { features, hidden, contextFeatures = 0, seed = 0, dtype = 'float32' } = options;
  const { transforms = 3, permutation = 'reverse' } = options;
  requirePositions('blockNaf', transforms, 'transforms');
  oneOf('blockNaf', 'permutation', permutation, ['reverse', 'random', 'none']);
  const bijections: Bijection[] = [];
  for (let k = 0; k < transforms; k++) {
    if (k > 0 && permutation === 'reverse') bijections.push(Permutation.reverse(features));
    if (k > 0 && permutation === 'random')
      bijections.push(Permutation.random(features, seed + 7919 * k));
    const network = { features, contextFeatures, seed: seed + 104729 * (k + 1), dtype };
    bijections.push(new BlockAutoregressive(hidden ? { ...network, hidden } : network));
  }
  return new Flow({
    base: options.base ?? new StandardNormal(features, dtype),
    bijection: new Chain(bijections, features),
    preprocessing: options.preprocessing ?? null,
    dequantization: options.dequantization ?? null,
    description: options.description ?? {},
  });
}

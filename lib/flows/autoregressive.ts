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
import { Permutation } from '../bijections/permutation';
import { requirePositions } from '../bijections/positions';
import type { Transformer } from '../bijections/transformer';
import { type Distribution, StandardNormal } from '../distributions';
import type { MadeOptions } from '../nn/made';
import { oneOf } from './choice';
import { Flow, type FlowParts, type SamplingFlow, type ScoringFlow } from './flow';

/** What chains of autoregressive maps share, whatever the map. */
export interface AutoregressiveFlowOptions
  extends Omit<MadeOptions, 'outputsPerFeature'>,
    Pick<FlowParts, 'preprocessing' | 'dequantization' | 'description'> {
  /** K: autoregressive transforms; default 5. */
  readonly transforms?: number;
  /** Batch norm after each transform. Default false. */
  readonly batchNorm?: boolean;
  /** What happens to the order of the features between two transforms; default reverse. */
  readonly permutation?: 'reverse' | 'random' | 'none';
  /** Default: the standard normal. */
  readonly base?: Distribution;
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
    base: _base,
    preprocessing: _preprocessing,
    dequantization: _dequantization,
    description: _description,
    ...network
  } = options;
  requirePositions(where, transforms, 'transforms');
  oneOf(where, 'permutation', permutation, ['reverse', 'random', 'none']);
  const bijections: Bijection[] = [];
  for (let k = 0; k < transforms; k++) {
    if (k > 0 && permutation === 'reverse') bijections.push(Permutation.reverse(features));
    if (k > 0 && permutation === 'random')
      bijections.push(Permutation.random(features, seed + 7919 * k));
    const own = { ...network, features, dtype, seed: seed + 104729 * (k + 1) };
    bijections.push(make(own as unknown as Parameters<typeof make>[0]));
    if (batchNorm) bijections.push(new BatchNorm({ features, dtype }));
  }
  return new Chain(bijections, features);
}

function flowOf(bijection: Bijection, options: AutoregressiveFlowOptions): Flow {
  return new Flow({
    base: options.base ?? new StandardNormal(options.features, options.dtype),
    bijection,
    preprocessing: options.preprocessing ?? null,
    dequantization: options.dequantization ?? null,
    description: options.description ?? {},
  });
}

const mafChain = (where: string, options: MafOptions) =>
  autoregressiveChain(where, options, (network) => new MaskedAutoregressive(network));

/**
 * A chain of autoregressive maps with any transformer, made anew for each of them: what the recipes of neural autoregressive,
 * polynomial and other flows are made of.
 */
export function transformerFlow(
  options: AutoregressiveFlowOptions,
  transformer: () => Transformer,
  where = 'transformerFlow',
): Flow {
  const chain = autoregressiveChain(
    where,
    options,
    (network) => new Autoregressive({ ...network, transformer: transformer() }),
  );
  return flowOf(chain, options);
}

/**
 * Masked autoregressive flow (Papamakarios et al. 2017): K MADEs with the order reversed between them.
 * Scoring and training are one pass; sampling is the incremental inverse, about one pass too. With the same options,
 * seed and weights it is the inverse of {@link iaf}.
 */
export function maf(options: MafOptions): ScoringFlow {
  return flowOf(mafChain('maf', options), options) as ScoringFlow;
}

/**
 * Inverse autoregressive flow (Kingma et al. 2016) as a density: the chain of a MAF turned round. Sampling is one pass
 * and can be differentiated (reverse KL); scoring data uses the incremental inverse. With the same options, seed and weights
 * it is the inverse of {@link maf}.
 */
export function iaf(options: MafOptions): SamplingFlow {
  return flowOf(new Invert(mafChain('iaf', options)), options) as SamplingFlow;
}

/** A single MADE with Gaussian conditionals (the MAF paper's "MADE" rows). */
export function made(options: Omit<MafOptions, 'transforms' | 'permutation'>): ScoringFlow {
  const whole = { ...options, transforms: 1 };
  return flowOf(mafChain('made', whole), whole) as ScoringFlow;
}

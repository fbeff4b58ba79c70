/** Recipes: residual flows. Behrmann et al. 2019, "Invertible Residual Networks"; Chen et al. 2019, "Residual Flows". */
import { ActNorm } from '../bijections/actNorm';
import type { Bijection } from '../bijections/bijection';
import { Chain } from '../bijections/chain';
import { ResidualBlock, type ResidualBlockOptions } from '../bijections/residualBlock';
import { Squeeze, squeezed } from '../bijections/squeeze';
import { LipschitzNet, type LipschitzNetOptions } from '../nn/lipschitzNet';
import {
  above0,
  anything,
  checkOptions,
  count,
  countOrNone,
  counts,
  depth,
  dtype,
  finite,
  flag,
  image,
  object,
  type Rules,
  required,
  seed,
} from '../options';
import { type ImageShape, requireSize } from '../shape';
import type { Flow } from './flow';
import type { Dequantization } from './flowParts';
import { imageFeatures, imageParts, pixelLogit, requireHalving } from './image';
import { flowOf, type RecipeOptions, recipeRules, seedOf } from './recipe';

interface ResidualOptions
  extends Pick<
      LipschitzNetOptions,
      'activation' | 'norm' | 'coefficient' | 'iterations' | 'contextFeatures' | 'seed' | 'dtype'
    >,
    Pick<ResidualBlockOptions, 'training' | 'use' | 'solver'>,
    RecipeOptions {
  /** Activation normalisation before each block. Default true. */
  readonly actNorm?: boolean;
}

export interface ResidualFlowOptions extends ResidualOptions {
  /** D. */
  readonly features: number;
  /** K: residual blocks; default 10. The paper has 100 for densities of the plane. */
  readonly transforms?: number;
  /** Widths of each network's hidden layers; default [128, 128, 128]. */
  readonly hidden?: readonly number[];
}

export interface ResidualFlowImageOptions extends ResidualOptions {
  /** Height, width and channels; the first two divisible by 2^(scales − 1). */
  readonly image: ImageShape;
  /** Between two scales the image is squeezed; nothing leaves before the end. Default 3, where the sides allow it. */
  readonly scales?: number;
  /** K: residual blocks of each scale; default 4. The paper has 16. */
  readonly transforms?: number;
  /** Channels of the hidden layers; default 128. The paper has 512. */
  readonly hidden?: number;
  /** λ of the logit that the pixels go through; default 0.05, the paper's for CIFAR-10 (1e-6: MNIST). */
  readonly lambda?: number;
}

function links(options: ResidualOptions, network: LipschitzNetOptions, k: number): Bijection[] {
  const { activation, norm, coefficient, iterations, contextFeatures, dtype, seed = 0 } = options;
  const { training, use, solver, actNorm = true } = options;
  const its = seedOf(seed, k);
  const given = { activation, norm, coefficient, iterations, contextFeatures, dtype };
  const block = new ResidualBlock({
    network: new LipschitzNet({ ...network, ...defined(given), seed: its }),
    ...defined({ training, use, solver }),
    seed: its,
  });
  if (!actNorm) return [block];
  const { channels, positions } = block.network;
  return [new ActNorm({ channels, positions, ...defined({ dtype }) }), block];
}

/** The entries that are there. */
function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as never;
}

const residualRules: Rules<ResidualOptions> = {
  ...recipeRules,
  activation: anything,
  norm: object,
  coefficient: above0,
  iterations: anything,
  contextFeatures: countOrNone,
  seed,
  dtype,
  training: object,
  use: object,
  solver: object,
  actNorm: flag,
};

const residualFlowRules: Rules<ResidualFlowOptions> = {
  ...residualRules,
  features: required(count),
  transforms: depth,
  hidden: counts,
};

/**
 * Residual flow for tables: K times [actnorm, x + g(x)], g of a Lipschitz constant below coefficient^layers. Scoring is one pass
 * and a log-det (exact for up to 64 features, see ResidualBlock), sampling a fixed point a block.
 */
export function residualFlow(options: ResidualFlowOptions): Flow {
  checkOptions('residualFlow', options, residualFlowRules);
  const { features, transforms = 10, hidden, dtype = 'float32' } = options;
  requireSize('residualFlow', 'transforms', transforms);
  const network = { channels: features, ...defined({ hidden }) };
  const bijections = Array.from({ length: transforms }, (_, k) => links(options, network, k));
  return flowOf(new Chain(bijections.flat(), features), options, dtype);
}

const residualFlowImageRules: Rules<ResidualFlowImageOptions> = {
  ...residualRules,
  image: required(image),
  scales: count,
  transforms: depth,
  hidden: count,
  lambda: finite,
};

/**
 * Residual flow for images: at each scale K times [actnorm, x + g(x)] with networks of 3×3, 1×1 and 3×3 convolutions, a squeeze
 * between scales. Data are bytes (or fewer levels: `dequantization`), which get uniform noise and go through a logit.
 *
 * @throws FlowError ARGUMENT where the image cannot be halved so often
 */
export function residualFlowImage(options: ResidualFlowImageOptions): Flow {
  checkOptions('residualFlowImage', options, residualFlowImageRules);
  const { image, transforms = 4, hidden = 128, lambda = 0.05, dtype = 'float32' } = options;
  requireSize('residualFlowImage', 'transforms', transforms);
  const scales = options.scales ?? 1 + halvings(image, 2);
  requireHalving('residualFlowImage', image, scales, 1);
  const features = imageFeatures(image);
  const bijections: Bijection[] = [];
  let shape = image;
  for (let scale = 0; scale < scales; scale++) {
    const { height, width, channels } = shape;
    const network = { channels, image: { height, width }, hidden: [hidden, hidden] };
    for (let k = 0; k < transforms; k++)
      bijections.push(...links(options, network, scale * transforms + k));
    if (scale === scales - 1) break;
    bijections.push(new Squeeze(shape));
    shape = squeezed(shape);
  }
  const usual = ({ levels }: Dequantization) => pixelLogit(features, levels, lambda, dtype);
  return flowOf(new Chain(bijections, features), imageParts(options, usual), dtype);
}

/** How often both sides can be halved, at most `most` times. */
function halvings({ height, width }: ImageShape, most: number): number {
  let count = 0;
  while (count < most && height % 2 ** (count + 1) === 0 && width % 2 ** (count + 1) === 0) count++;
  return count;
}

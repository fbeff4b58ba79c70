/**
 * Glow: Kingma and Dhariwal, "Glow: Generative Flow with Invertible 1×1 Convolutions", 2018. Scales of squeeze and K transforms,
 * [actnorm, linear map of the channels, coupling] each; half of the channels leaves after each scale but the last.
 */
import { ActNorm } from '../bijections/actNorm';
import { Affine } from '../bijections/affine';
import {
  AffineCoupling,
  type CouplingScaleOption,
  type CouplingSplit,
  conditionerSizes,
} from '../bijections/affineCoupling';
import { emergingConv } from '../bijections/autoregressiveConv';
import type { Bijection } from '../bijections/bijection';
import { Chain } from '../bijections/chain';
import { ConditionalAffine } from '../bijections/conditionalAffine';
import { DenseLinear } from '../bijections/denseLinear';
import { LuLinear } from '../bijections/luLinear';
import { MultiScale, type MultiScaleEntry } from '../bijections/multiScale';
import { PeriodicConv } from '../bijections/periodicConv';
import { Permutation } from '../bijections/permutation';
import { QrLinear } from '../bijections/qrLinear';
import { Squeeze, squeezed } from '../bijections/squeeze';
import type { FloatDType } from '../dtype';
import { ConvNet } from '../nn/convNet';
import { SingleConv } from '../nn/singleConv';
import {
  checkOptions,
  count,
  countOrNone,
  depth,
  dtype,
  finite,
  flag,
  image,
  object,
  type Rules,
  required,
  seed,
  word,
} from '../options';
import { type ImageShape, requireSize } from '../shape';
import { oneOf } from './choice';
import type { Flow } from './flow';
import type { Dequantization } from './flowParts';
import { imageFeatures, imageParts, pixelLogit, requireHalving } from './image';
import { flowOf, type RecipeOptions, recipeRules } from './recipe';

export interface GlowOptions extends RecipeOptions {
  /** Height, width and channels; the first two divisible by 2^scales. */
  readonly image: ImageShape;
  /** L, the paper's levels; default 3 (the paper's for 32 × 32). */
  readonly scales?: number;
  /** K, the paper's steps, of each scale; default 32. */
  readonly transforms?: number;
  /** Channels of the hidden layers of the couplings' networks; default 512. */
  readonly hidden?: number;
  /**
   * Actnorm also behind the first two convolutions of these networks, as in the paper's code. Default true: it costs 2 % of a step at most,
   * and learns faster.
   */
  readonly networkActNorm?: boolean;
  /**
   * What mixes the channels: a linear map (the paper's 1×1 convolution) in LU form (default), as one matrix, or in QR form; a
   * fixed order, at random or reversed; or a 3×3 convolution (Hoogeboom et al. 2019): two autoregressive ones behind a 1×1 in QR
   * form ('emerging'), or one of the image wrapped around its edges ('periodic').
   */
  readonly permutation?: 'lu' | 'dense' | 'qr' | 'random' | 'reverse' | 'emerging' | 'periodic';
  /** Default affine. */
  readonly coupling?: 'affine' | 'additive';
  /**
   * The scale of affine couplings and of the learned prior. Default the paper's: sigmoid(raw + 2), which only shrinks, and
   * exp(raw). `{ kind: 'tanh' }` is bounded both ways and learns faster where the data lie in a small part of their space.
   */
  readonly scale?: CouplingScaleOption;
  /** What leaves after a scale is normal with a mean and scale that depend on what stays (default), or standard normal. */
  readonly learnedPrior?: boolean;
  /** Columns of the context, for instance one-hot classes: they enter all networks and the prior of the last scale. */
  readonly contextFeatures?: number;
  /**
   * λ of a logit that the pixels go through in place of the paper's scaling to [−½, ½). Images of many black or white pixels
   * (MNIST: 1e-6) are learned much faster so, and samples cannot leave the range of the pixels.
   */
  readonly lambda?: number;
  /** Last layers of the networks start at zero, so that each transform starts as actnorm and a rotation. Default true. */
  readonly zeroInitialized?: boolean;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

type Settings = Required<
  Pick<
    GlowOptions,
    | 'scales'
    | 'transforms'
    | 'hidden'
    | 'networkActNorm'
    | 'permutation'
    | 'coupling'
    | 'learnedPrior'
    | 'contextFeatures'
    | 'zeroInitialized'
    | 'seed'
    | 'dtype'
  >
> & { readonly scale: CouplingScaleOption | undefined };

const permutations = ['lu', 'dense', 'qr', 'random', 'reverse', 'emerging', 'periodic'] as const;

const secondHalf: CouplingSplit = { kind: 'columns', transformed: 'second' };

/** Seeds of the parts follow from one: no two alike. */
function permuted({ permutation, dtype }: Settings, image: ImageShape, seed: number): Bijection {
  const { channels } = image;
  const positions = image.height * image.width;
  if (permutation === 'reverse') return Permutation.reverse(channels, positions);
  if (permutation === 'random') return Permutation.random(channels, seed, positions);
  const options = { channels, positions, seed, dtype };
  if (permutation === 'dense') return new DenseLinear(options);
  if (permutation === 'periodic') return new PeriodicConv({ image, seed, dtype });
  if (permutation === 'emerging')
    return new Chain([new QrLinear(options), emergingConv({ image, seed: seed + 1, dtype })]);
  return permutation === 'qr' ? new QrLinear(options) : new LuLinear(options);
}

function coupling(settings: Settings, image: ImageShape, seed: number): Bijection {
  const { hidden, networkActNorm, contextFeatures, zeroInitialized, dtype } = settings;
  const { channels } = image;
  const scale: CouplingScaleOption =
    settings.coupling === 'affine' ? (settings.scale ?? { kind: 'sigmoid' }) : { kind: 'additive' };
  const sizes = conditionerSizes(channels, secondHalf, scale);
  const conditioner = new ConvNet({
    ...sizes,
    image,
    hidden,
    actNorm: networkActNorm,
    contextFeatures,
    zeroInitialized,
    seed,
    dtype,
  });
  const positions = image.height * image.width;
  return new AffineCoupling({ channels, positions, split: secondHalf, scale, conditioner, dtype });
}

/** What leaves becomes standard normal by a scale and a shift that a convolution makes of what stays: split2d of Glow's code. */
function splitPrior({ dtype, scale = { kind: 'exp' } }: Settings, image: ImageShape): Bijection {
  const { channels } = image;
  const conditioner = new SingleConv({
    ...conditionerSizes(channels, secondHalf, scale),
    image,
    dtype,
  });
  const positions = image.height * image.width;
  return new AffineCoupling({ channels, positions, split: secondHalf, scale, conditioner, dtype });
}

function glowScales(image: ImageShape, settings: Settings): MultiScale {
  const { scales, transforms, learnedPrior, contextFeatures, seed, dtype } = settings;
  const built: MultiScaleEntry[] = [];
  let shape = image;
  for (let scale = 0; scale < scales; scale++) {
    const links: Bijection[] = [new Squeeze(shape)];
    shape = squeezed(shape);
    const { channels, height, width } = shape;
    const positions = height * width;
    for (let k = 0; k < transforms; k++) {
      const its = seed + 7919 * (scale * transforms + k + 1);
      links.push(
        new ActNorm({ channels, positions, dtype }),
        permuted(settings, shape, its),
        coupling(settings, shape, its + 104729),
      );
    }
    const isLast = scale === scales - 1;
    if (learnedPrior && !isLast) links.push(splitPrior(settings, shape));
    if (learnedPrior && isLast)
      links.push(new ConditionalAffine({ channels, positions, contextFeatures, dtype }));
    built.push({ bijection: new Chain(links), channels });
    shape = { height, width, channels: channels / 2 };
  }
  return new MultiScale(built);
}

const glowRules: Rules<GlowOptions> = {
  ...recipeRules,
  image: required(image),
  scales: count,
  transforms: depth,
  hidden: count,
  networkActNorm: flag,
  permutation: word(...permutations),
  coupling: word('affine', 'additive'),
  scale: object,
  learnedPrior: flag,
  contextFeatures: countOrNone,
  lambda: finite,
  zeroInitialized: flag,
  seed,
  dtype,
};

/**
 * Glow. Data are bytes (or fewer levels: `dequantization`), which get uniform noise and are scaled to [−½, ½), as in the
 * paper's code, or go through a logit (`lambda`); pass `preprocessing` for another map, null for none. `fit` sets the actnorms
 * from the first rows.
 *
 * @throws FlowError ARGUMENT where the image cannot be halved so often
 */
export function glow(options: GlowOptions): Flow {
  checkOptions('glow', options, glowRules);
  const { image, dtype = 'float32', lambda } = options;
  const settings: Settings = {
    scales: options.scales ?? 3,
    transforms: options.transforms ?? 32,
    hidden: options.hidden ?? 512,
    networkActNorm: options.networkActNorm ?? true,
    permutation: options.permutation ?? 'lu',
    coupling: options.coupling ?? 'affine',
    scale: options.scale,
    learnedPrior: options.learnedPrior ?? true,
    contextFeatures: options.contextFeatures ?? 0,
    zeroInitialized: options.zeroInitialized ?? true,
    seed: options.seed ?? 0,
    dtype,
  };
  requireHalving('glow', image, settings.scales, 0);
  requireSize('glow', 'transforms', settings.transforms);
  oneOf('glow', 'permutation', settings.permutation, permutations);
  oneOf('glow', 'coupling', settings.coupling, ['affine', 'additive']);
  const features = imageFeatures(image);
  const usual = ({ levels }: Dequantization) =>
    lambda === undefined
      ? Affine.uniform(features, 1 / levels, -0.5, dtype)
      : pixelLogit(features, levels, lambda, dtype);
  return flowOf(glowScales(image, settings), imageParts(options, usual), dtype);
}

/**
 * RealNVP on images: Dinh, Sohl-Dickstein and Bengio, "Density estimation using Real NVP", 2017, sections 3.4–3.7 and 4.1.
 *
 * A scale but the last: three couplings on checkerboards in turn, squeeze, three couplings on halves of the channels in turn;
 * half of the channels leaves. The last scale: four couplings on checkerboards.
 */
import { AffineCoupling, type CouplingSplit, conditionerSizes } from '../bijections/affineCoupling';
import { BatchNorm } from '../bijections/batchNorm';
import type { Bijection } from '../bijections/bijection';
import { Chain } from '../bijections/chain';
import { MultiScale, type MultiScaleEntry } from '../bijections/multiScale';
import { Permutation } from '../bijections/permutation';
import { Squeeze, squeezed } from '../bijections/squeeze';
import type { FloatDType } from '../dtype';
import { ResidualConvNet } from '../nn/residualConvNet';
import {
  checkOptions,
  count,
  countOrNone,
  dtype,
  finite,
  flag,
  image,
  type Rules,
  required,
  seed,
  word,
} from '../options';
import type { ImageShape } from '../shape';
import { oneOf } from './choice';
import type { Flow } from './flow';
import type { Dequantization } from './flowParts';
import { imageFeatures, imageParts, pixelLogit, requireHalving } from './image';
import { flowOf, type RecipeOptions, recipeRules } from './recipe';

export interface RealNvpImageOptions extends RecipeOptions {
  /** Height, width and channels; the first two divisible by 2^(scales − 1). */
  readonly image: ImageShape;
  /** Default 2: the images are halved once, as the paper does with those of 32 × 32. */
  readonly scales?: number;
  /** Residual blocks of each network; default 4 (paper: 8 for CIFAR-10, 4 for ImageNet of 32 × 32, 2 for 64 × 64). */
  readonly blocks?: number;
  /** Channels in the networks of the first scale's checkerboards; twice as many after each squeeze. Default 32 (CIFAR-10: 64). */
  readonly hidden?: number;
  /** Batch norm after each coupling and in the networks. Default true. */
  readonly batchNorm?: boolean;
  /** Weights of the networks as direction and length. Default true. */
  readonly weightNorm?: boolean;
  /**
   * What leaves after a scale. 'alternating': of each square of 2 × 2 pixels one diagonal, the other stays, as in the paper's code:
   * both halves are images of the whole. 'half' (default): the lower two pixels of the square.
   */
  readonly factorOut?: 'half' | 'alternating';
  /** Columns of the context, for instance one-hot classes, which all networks see. */
  readonly contextFeatures?: number;
  /** λ of the logit that the pixels go through; default 0.05. Images of many black pixels, as MNIST: 1e-6. */
  readonly lambda?: number;
  /** Last layers of the networks start at zero, so that each coupling starts as the identity. Default true. */
  readonly zeroInitialized?: boolean;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

/** Couplings one after another, each with its batch norm. */
class Links {
  readonly bijections: Bijection[] = [];
  #count = 0;

  constructor(readonly options: RealNvpImageOptions) {}

  coupling(image: ImageShape, split: CouplingSplit, hidden: number): void {
    const { batchNorm = true, weightNorm = true, contextFeatures = 0, seed = 0 } = this.options;
    const { blocks = 4, zeroInitialized = true, dtype = 'float32' } = this.options;
    const { channels, height, width } = image;
    const positions = height * width;
    this.#count++;
    const conditioner = new ResidualConvNet({
      ...conditionerSizes(channels, split),
      image: { height, width },
      hidden,
      blocks,
      batchNorm,
      weightNorm,
      contextFeatures,
      zeroInitialized,
      seed: seed + 104729 * this.#count,
      dtype,
    });
    this.bijections.push(new AffineCoupling({ channels, positions, split, conditioner, dtype }));
    if (batchNorm) this.bijections.push(new BatchNorm({ channels, positions, dtype }));
  }

  checkerboards(image: ImageShape, count: number, hidden: number): void {
    for (let k = 0; k < count; k++)
      this.coupling(image, { kind: 'checkerboard', image, parity: k % 2 === 0 ? 0 : 1 }, hidden);
  }

  halves(image: ImageShape, count: number, hidden: number): void {
    for (let k = 0; k < count; k++) {
      const transformed = k % 2 === 0 ? 'second' : 'first';
      this.coupling(image, { kind: 'columns', transformed }, hidden);
    }
  }

  /** The chain of what was added since the last call. */
  chain(): Chain {
    return new Chain(this.bijections.splice(0));
  }
}

/** Of a squeezed image: the upper left and the lower right pixel of each square, then the other two. */
function diagonalsFirst({ height, width, channels }: ImageShape): Permutation {
  const colors = channels / 4;
  const order = [0, 3, 1, 2].flatMap((pixel) =>
    Array.from({ length: colors }, (_, c) => pixel * colors + c),
  );
  return new Permutation(order, { positions: height * width });
}

function scalesOf(options: RealNvpImageOptions): MultiScale {
  const { scales = 2, hidden = 32, factorOut = 'half' } = options;
  const links = new Links(options);
  const parts: MultiScaleEntry[] = [];
  let { image } = options;
  let width = hidden;
  for (let scale = 1; scale < scales; scale++) {
    links.checkerboards(image, 3, width);
    links.bijections.push(new Squeeze(image));
    image = squeezed(image);
    width *= 2;
    links.halves(image, 3, width);
    if (factorOut === 'alternating') links.bijections.push(diagonalsFirst(image));
    parts.push({ bijection: links.chain(), channels: image.channels });
    image = { ...image, channels: image.channels / 2 };
  }
  links.checkerboards(image, 4, width);
  parts.push({ bijection: links.chain(), channels: image.channels });
  return new MultiScale(parts);
}

const realnvpImageRules: Rules<RealNvpImageOptions> = {
  ...recipeRules,
  image: required(image),
  scales: count,
  blocks: count,
  hidden: count,
  batchNorm: flag,
  weightNorm: flag,
  factorOut: word('half', 'alternating'),
  contextFeatures: countOrNone,
  lambda: finite,
  zeroInitialized: flag,
  seed,
  dtype,
};

/**
 * RealNVP on images. Data are bytes (or fewer levels: `dequantization`), which get uniform noise, are divided by their
 * number and go through a logit; pass `preprocessing` for another map, null for none.
 *
 * @throws FlowError ARGUMENT where the image cannot be halved so often
 */
export function realnvpImage(options: RealNvpImageOptions): Flow {
  checkOptions('realnvpImage', options, realnvpImageRules);
  const { image, scales = 2, lambda = 0.05, dtype = 'float32' } = options;
  requireHalving('realnvpImage', image, scales, 1);
  oneOf('realnvpImage', 'factorOut', options.factorOut ?? 'half', ['half', 'alternating']);
  const features = imageFeatures(image);
  const usual = ({ levels }: Dequantization) => pixelLogit(features, levels, lambda, dtype);
  return flowOf(scalesOf(options), imageParts(options, usual), dtype);
}

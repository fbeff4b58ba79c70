/**
 * Recipes: Flow++. Ho, Chen, Srinivas, Duan, Abbeel 2019, "Flow++: Improving Flow-Based Generative Models with Variational
 * Dequantization and Architecture Design": couplings by distribution functions of mixtures of logistics. (The dequantisation is
 * `variationalDequantization`.)
 */
import { ActNorm } from '../bijections/actNorm';
import type { CouplingSplit } from '../bijections/affineCoupling';
import { addToBias } from '../bijections/autoregressive';
import type { Bijection } from '../bijections/bijection';
import { Chain } from '../bijections/chain';
import { Coupling, couplingSizes } from '../bijections/coupling';
import { LuLinear } from '../bijections/luLinear';
import { MonotoneTransformer } from '../bijections/monotoneTransformer';
import { Permutation } from '../bijections/permutation';
import { Squeeze, squeezed } from '../bijections/squeeze';
import type { FloatDType } from '../dtype';
import type { Conditioner } from '../nn/conditioner';
import { Mlp, type MlpOptions } from '../nn/mlp';
import { ResidualConvNet } from '../nn/residualConvNet';
import {
  above0,
  checkOptions,
  count,
  countOrNone,
  depth,
  dtype,
  finite,
  flag,
  image,
  type Rules,
  required,
  seed,
  widths,
  word,
} from '../options';
import { type ImageShape, requireSize } from '../shape';
import { oneOf } from './choice';
import { networkRules } from './coupling';
import type { Flow } from './flow';
import type { Dequantization } from './flowParts';
import { imageFeatures, imageParts, pixelLogit, requireHalving } from './image';
import { flowOf, type RecipeOptions, recipeRules, seedOf } from './recipe';

interface MixtureOptions {
  /** Logistics of a mixture; default 8 (images of the paper: 32). */
  readonly components?: number;
  /** Of the log-scales of logistics and results, B·tanh(raw/B); default 5. */
  readonly bound?: number;
}

export interface FlowppOptions
  extends RecipeOptions,
    MixtureOptions,
    Pick<
      MlpOptions,
      'activation' | 'residual' | 'contextFeatures' | 'zeroInitialized' | 'seed' | 'dtype'
    > {
  /** D, 2 at least. */
  readonly features: number;
  /** Hidden layers of each network; with `residual` an odd number of one width. */
  readonly hidden: readonly number[];
  /** K: couplings; default 8. */
  readonly transforms?: number;
  /** Before each coupling: a learned linear map (default, as in the paper), a fixed random order, or the halves change places. */
  readonly permutation?: 'lu' | 'random' | 'swap';
  /** Activation normalisation before each coupling; default true. */
  readonly actNorm?: boolean;
}

export interface FlowppImageOptions extends RecipeOptions, MixtureOptions {
  /** Height, width and channels; the first two divisible by 2^(scales − 1). */
  readonly image: ImageShape;
  /** Between two scales the image is squeezed; nothing leaves before the end. Default 2, as for CIFAR-10 in the paper. */
  readonly scales?: number;
  /**
   * K: couplings on checkerboards at each scale but the last, which has K − 1; before its squeezed image goes on, ⌈K/2⌉ on halves of
   * the channels. Default 4, the paper's for CIFAR-10: 4, then 2 and 3.
   */
  readonly transforms?: number;
  /** Residual blocks of each network; default 4 (paper: 10, gated, with attention). */
  readonly blocks?: number;
  /** Channels of the networks; default 32 (paper: 96). */
  readonly hidden?: number;
  /** Columns of the context, for instance one-hot classes, which all networks see. */
  readonly contextFeatures?: number;
  /** λ of the logit that the pixels go through; default 0.05. Images of many black pixels, as MNIST: 1e-6. */
  readonly lambda?: number;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

/** From the seed of a coupling's network to that of the linear map before it. */
const apart = 15485863;

/** A mixture of logistics that starts near the identity, for a network that `make` makes. */
function mixtureCoupling(
  sizes: { channels: number; positions?: number; split: CouplingSplit; dtype: FloatDType },
  { components = 8, bound = 5 }: MixtureOptions,
  make: (sizes: { inputs: number; outputs: number }) => Conditioner,
): Coupling {
  const transformer = new MonotoneTransformer({ kind: 'logisticMixture', components, bound });
  const conditioner = make(couplingSizes(sizes.channels, sizes.split, transformer));
  addToBias(conditioner.outputBias, transformer.startingParams());
  return new Coupling({ ...sizes, transformer, conditioner });
}

const flowppRules: Rules<FlowppOptions> = {
  ...recipeRules,
  ...networkRules,
  features: required(count),
  hidden: required(widths),
  components: count,
  bound: above0,
  transforms: depth,
  permutation: word('lu', 'random', 'swap'),
  actNorm: flag,
};

/**
 * Flow++ for tables: K times activation normalisation, a linear map, and a coupling by mixtures of logistics. Scoring and training
 * are one pass; sampling is one pass of the networks and the roots, which report themselves.
 */
export function flowpp(options: FlowppOptions): Flow {
  checkOptions('flowpp', options, flowppRules);
  const { features, transforms = 8, permutation = 'lu', hidden, seed = 0 } = options;
  const { dtype = 'float32', contextFeatures = 0, actNorm = true } = options;
  const { activation = 'relu', residual = false, zeroInitialized = true } = options;
  requireSize('flowpp', 'transforms', transforms);
  oneOf('flowpp', 'permutation', permutation, ['lu', 'random', 'swap']);
  const bijections: Bijection[] = [];
  for (let k = 0; k < transforms; k++) {
    const own = seedOf(seed, k);
    if (actNorm) bijections.push(new ActNorm({ channels: features, dtype }));
    if (permutation === 'lu')
      bijections.push(new LuLinear({ channels: features, seed: own + apart, dtype }));
    if (permutation === 'random') bijections.push(Permutation.random(features, own + apart));
    const split: CouplingSplit = {
      kind: 'columns',
      transformed: permutation === 'swap' && k % 2 === 1 ? 'first' : 'second',
    };
    const network = { hidden, activation, residual, zeroInitialized, contextFeatures, dtype };
    bijections.push(
      mixtureCoupling(
        { channels: features, split, dtype },
        options,
        (sizes) => new Mlp({ ...sizes, ...network, seed: own }),
      ),
    );
  }
  return flowOf(new Chain(bijections, features), options, dtype);
}

/** Activation normalisation, 1×1 convolution and coupling, one after another. */
class Links {
  readonly bijections: Bijection[] = [];
  #count = 0;

  constructor(readonly options: FlowppImageOptions) {}

  coupling(image: ImageShape, split: CouplingSplit): void {
    const {
      hidden = 32,
      blocks = 4,
      contextFeatures = 0,
      seed = 0,
      dtype = 'float32',
    } = this.options;
    const { height, width, channels } = image;
    const positions = height * width;
    const own = seedOf(seed, this.#count++);
    this.bijections.push(
      new ActNorm({ channels, positions, dtype }),
      new LuLinear({ channels, positions, seed: own + apart, dtype }),
      mixtureCoupling(
        { channels, positions, split, dtype },
        this.options,
        (sizes) =>
          new ResidualConvNet({
            ...sizes,
            image: { height, width },
            ...{ hidden, blocks, contextFeatures, dtype, batchNorm: false },
            seed: own,
          }),
      ),
    );
  }

  checkerboards(image: ImageShape, count: number): void {
    for (let k = 0; k < count; k++)
      this.coupling(image, { kind: 'checkerboard', image, parity: k % 2 === 0 ? 0 : 1 });
  }

  halves(image: ImageShape, count: number): void {
    for (let k = 0; k < count; k++)
      this.coupling(image, { kind: 'columns', transformed: k % 2 === 0 ? 'second' : 'first' });
  }
}

const flowppImageRules: Rules<FlowppImageOptions> = {
  ...recipeRules,
  image: required(image),
  scales: count,
  transforms: depth,
  components: count,
  bound: above0,
  blocks: count,
  hidden: count,
  contextFeatures: countOrNone,
  lambda: finite,
  seed,
  dtype,
};

/**
 * Flow++ for images: couplings by mixtures of logistics on checkerboards and, after a squeeze, on halves of the channels; networks of residual
 * convolutions with weight norm, without the paper's gates and attention. Data are bytes (or fewer levels: `dequantization`), which go through
 * a logit; pass `preprocessing` for another map, null for none.
 *
 * @throws FlowError ARGUMENT where the image cannot be halved so often
 */
export function flowppImage(options: FlowppImageOptions): Flow {
  checkOptions('flowppImage', options, flowppImageRules);
  const { image, scales = 2, transforms = 4, lambda = 0.05, dtype = 'float32' } = options;
  requireSize('flowppImage', 'transforms', transforms);
  requireHalving('flowppImage', image, scales, 1);
  const features = imageFeatures(image);
  const links = new Links(options);
  let shape = image;
  for (let scale = 1; scale < scales; scale++) {
    links.checkerboards(shape, transforms);
    links.bijections.push(new Squeeze(shape));
    shape = squeezed(shape);
    links.halves(shape, Math.ceil(transforms / 2));
  }
  links.checkerboards(shape, Math.max(1, transforms - 1));
  const usual = ({ levels }: Dequantization) => pixelLogit(features, levels, lambda, dtype);
  return flowOf(new Chain(links.bijections, features), imageParts(options, usual), dtype);
}

/** Recipes: variational autoencoders of networks, posteriors and priors by name. */
import { Affine } from '../../bijections/affine';
import { Bijection } from '../../bijections/bijection';
import { Chain } from '../../bijections/chain';
import { Invert } from '../../bijections/invert';
import { MaskedAutoregressive } from '../../bijections/maskedAutoregressive';
import { Planar } from '../../bijections/planar';
import { Radial } from '../../bijections/radial';
import { Sylvester } from '../../bijections/sylvester';
import { StandardNormal } from '../../distributions';
import type { FloatDType } from '../../dtype';
import { expected, FlowError } from '../../errors';
import { Flow } from '../../flows/flow';
import { aMap } from '../../flows/flowParts';
import type { Conditioner } from '../../nn/conditioner';
import { ConvDecoder, ConvEncoder } from '../../nn/convCoder';
import { Mlp } from '../../nn/mlp';
import { withoutUndefined } from '../../nn/module';
import type { Activation, AutoregressiveScale } from '../../ops';
import { activationRule } from '../../ops/activation';
import {
  anything,
  checkOptions,
  count,
  countOrNone,
  counts,
  depth,
  dtype,
  finite,
  image,
  object,
  orNull,
  type Rules,
  required,
  seed,
  widths,
  word,
} from '../../options';
import { type ImageShape, requireSize } from '../../shape';
import {
  BernoulliLikelihood,
  Likelihood,
  LogisticMixtureLikelihood,
  NormalLikelihood,
} from './likelihood';
import type { VaeParts } from './parts';
import { Vae } from './vae';

export interface IafPosteriorOptions {
  /** L. */
  readonly latents: number;
  /** H: columns of the encoder's context h, which every transform sees. */
  readonly contextFeatures: number;
  /** T: transforms (the paper's steps), the order reversed between them; default 4. */
  readonly transforms?: number;
  /** Hidden layers of each transform's MADE; default [320, 320], as in the paper. */
  readonly hidden?: readonly number[];
  /** Forget bias of the gates: at the start s = σ(bias). Default 2; the paper has 1 to 2. */
  readonly bias?: number;
  /**
   * Another form of the transforms: z_t = (z_(t−1) − μ)·exp(−a), with a of this scale map. It may stretch as well as
   * contract, and learns faster at first: the gates move less in a step. Default: the gate.
   */
  readonly scale?: AutoregressiveScale;
  /** Default elu. */
  readonly activation?: Activation;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

const iafPosteriorRules: Rules<IafPosteriorOptions> = {
  latents: required(count),
  contextFeatures: required(count),
  transforms: depth,
  hidden: widths,
  bias: finite,
  scale: object,
  activation: activationRule,
  seed,
  dtype,
};

/**
 * The posterior of Kingma et al. 2016 (algorithm 1 with eq. 14): z_t = s·z_(t−1) + (1 − s)·m, where (m, s) of each latent see h
 * and the latents before it in z_(t−1). Drawing is one pass a step; the density of a given z is the incremental inverse.
 *
 * A fixed factor behind the last step undoes what the gates contract at the start, sᵀ, so that the posterior starts as the
 * Gaussian. It changes no more than the start, and is worth some tenths of a nat after thousands of steps.
 */
export function iafPosterior(options: IafPosteriorOptions): Invert {
  checkOptions('iafPosterior', options, iafPosteriorRules);
  const { latents, transforms = 4, hidden = [320, 320], bias = 2, activation = 'elu' } = options;
  const { contextFeatures, seed = 0, dtype = 'float32', scale = { kind: 'gate', bias } } = options;
  requireSize('iafPosterior', 'transforms', transforms);
  const chain: Bijection[] = Array.from(
    { length: transforms },
    (_, t) =>
      new MaskedAutoregressive({
        ...{ features: latents, hidden, activation, contextFeatures, dtype },
        order: t % 2 === 0 ? 'natural' : 'reversed',
        scale,
        seed: seed + t,
      }),
  );
  if (scale.kind === 'gate')
    chain.push(Affine.uniform(latents, (1 + Math.exp(-scale.bias)) ** transforms, 0, dtype));
  return new Invert(new Chain(chain, latents));
}

export interface FinitePosteriorOptions {
  /** The maps (Rezende and Mohamed 2015; van den Berg et al. 2018). */
  readonly kind: 'planar' | 'radial' | 'sylvester';
  /** L. */
  readonly latents: number;
  /** H: columns of the encoder's context h, which makes the numbers of each map. */
  readonly contextFeatures: number;
  /** K: maps one after another; default 8. */
  readonly transforms?: number;
  /** Hidden layers between h and these numbers; default none: they are linear in it. */
  readonly hidden?: readonly number[];
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

const finiteMaps = { planar: Planar, radial: Radial, sylvester: Sylvester } as const;

const finitePosteriorRules: Rules<FinitePosteriorOptions> = {
  kind: required(word(...Object.keys(finiteMaps))),
  latents: required(count),
  contextFeatures: required(count),
  transforms: depth,
  hidden: counts,
  seed,
  dtype,
};

/**
 * The posteriors of Rezende and Mohamed 2015 and van den Berg et al. 2018, with maps of each row's own ("amortised"). Drawing is one
 * pass a map; they start as the Gaussian.
 */
export function finitePosterior(options: FinitePosteriorOptions): Invert {
  checkOptions('finitePosterior', options, finitePosteriorRules);
  const { kind, latents, transforms = 8, seed = 0, hidden, contextFeatures, dtype } = options;
  requireSize('finitePosterior', 'transforms', transforms);
  const FiniteMap = finiteMaps[kind];
  const sizes = withoutUndefined({ features: latents, hidden, contextFeatures, dtype });
  const chain = Array.from(
    { length: transforms },
    (_, k) => new FiniteMap({ ...sizes, seed: seed + k }),
  );
  return new Invert(new Chain(chain, latents));
}

export interface MafPriorOptions {
  /** L. */
  readonly latents: number;
  /** K: transforms, the order reversed between them; default 2. */
  readonly transforms?: number;
  /** Hidden layers of each MADE; default [320, 320]. */
  readonly hidden?: readonly number[];
  /** Default elu. */
  readonly activation?: Activation;
  readonly contextFeatures?: number;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

const mafPriorRules: Rules<MafPriorOptions> = {
  latents: required(count),
  transforms: depth,
  hidden: widths,
  activation: activationRule,
  contextFeatures: countOrNone,
  seed,
  dtype,
};

/**
 * An autoregressive prior: a MAF whose density of a latent is one pass, so that training is as fast as with an IAF posterior;
 * drawing from it is the incremental inverse. It starts as the standard normal.
 */
export function mafPrior(options: MafPriorOptions): Flow {
  checkOptions('mafPrior', options, mafPriorRules);
  const { latents, transforms = 2, hidden = [320, 320], activation = 'elu' } = options;
  const { contextFeatures = 0, seed = 0, dtype = 'float32' } = options;
  requireSize('mafPrior', 'transforms', transforms);
  const chain = Array.from(
    { length: transforms },
    (_, k) =>
      new MaskedAutoregressive({
        ...{ features: latents, hidden, activation, contextFeatures, dtype },
        order: k % 2 === 0 ? 'natural' : 'reversed',
        seed: seed + k,
      }),
  );
  const base = new StandardNormal(latents, dtype);
  return new Flow({ base, bijection: new Chain(chain, latents) });
}

/** A residual network of convolutions; see ConvEncoder and ConvDecoder. */
export interface VaeConvOptions {
  /** Channels of each scale; the sides are halved between scales. */
  readonly channels: readonly number[];
  /** Residual blocks of a scale; default 1. */
  readonly blocks?: number;
  /** Units of the dense layer; default 450. */
  readonly hidden?: number;
}

export interface VaeOptions
  extends Pick<
    VaeParts,
    | 'preprocessing'
    | 'contextPreprocessing'
    | 'binarization'
    | 'freeBits'
    | 'warmup'
    | 'description'
  > {
  /** D; of images it may be left out. */
  readonly features?: number;
  /** Needed for convolutions. */
  readonly image?: ImageShape;
  /** L. */
  readonly latents: number;
  /** Widths of the hidden layers of both networks, the decoder's the other way round; default [512, 512]. */
  readonly hidden?: readonly number[];
  /** Convolutions in place of `hidden`. */
  readonly conv?: VaeConvOptions;
  /** Of the networks; default relu, of convolutions elu. */
  readonly activation?: Activation;
  /** Default bernoulli; 'logistic': levels 0 … 255, one discretised logistic each. */
  readonly likelihood?: 'bernoulli' | 'normal' | 'logistic' | Likelihood;
  /**
   * 'diagonal' (default); 'iaf', 'planar', 'radial', 'sylvester' or their options, among them contextFeatures (default 64); or a
   * bijection whose inverse bends the Gaussian, given its contextFeatures of the encoder.
   */
  readonly posterior?:
    | 'diagonal'
    | 'iaf'
    | FinitePosteriorOptions['kind']
    | Partial<IafPosteriorOptions>
    | (Partial<FinitePosteriorOptions> & Pick<FinitePosteriorOptions, 'kind'>)
    | Bijection;
  /** 'normal' (default); 'maf' or its options; or a flow. */
  readonly prior?: 'normal' | 'maf' | Partial<MafPriorOptions> | Flow;
  readonly contextFeatures?: number;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

const vaeRules: Rules<VaeOptions> = {
  preprocessing: aMap,
  contextPreprocessing: aMap,
  binarization: orNull(object),
  freeBits: orNull(object),
  warmup: orNull(object),
  description: object,
  features: count,
  image,
  latents: required(count),
  hidden: widths,
  conv: object,
  activation: activationRule,
  likelihood: anything,
  posterior: anything,
  prior: anything,
  contextFeatures: countOrNone,
  seed,
  dtype,
};

/** A variational autoencoder with the same kind of network for encoder and decoder. */
export function vae(options: VaeOptions): Vae {
  checkOptions('vae', options, vaeRules);
  const { image, latents, contextFeatures = 0, seed = 0, dtype = 'float32' } = options;
  const features = options.features ?? (image && image.height * image.width * image.channels);
  if (features === undefined) {
    throw new FlowError(
      'ARGUMENT',
      expected('vae', 'features', 'the columns of a row', 'neither features nor image', 'pass one'),
    );
  }
  // Seeds of the parts apart from each other: a part's own go up from its first by one a layer.
  const seeds = {
    encoder: seed,
    decoder: seed + 1_000,
    posterior: seed + 2_000,
    prior: seed + 3_000,
  };
  const shared = { latents, dtype };
  const posterior = posteriorOf(options.posterior ?? 'diagonal', {
    ...shared,
    contextFeatures: 64,
    seed: seeds.posterior,
  });
  const prior = priorOf(options.prior ?? 'normal', {
    ...shared,
    contextFeatures,
    seed: seeds.prior,
  });
  const likelihood = likelihoodOf(options.likelihood ?? 'bernoulli', features, image?.channels);
  const sizes = {
    outputs: 2 * latents + (posterior?.contextFeatures ?? 0),
    decoded: likelihood.outputs,
  };
  const { encoder, decoder } = networks(options, features, sizes, seeds);
  const { preprocessing, contextPreprocessing } = options;
  const { binarization, freeBits, warmup, description } = options;
  return new Vae({
    ...{ encoder, decoder, likelihood, posterior, prior },
    ...(preprocessing !== undefined && { preprocessing }),
    ...(contextPreprocessing !== undefined && { contextPreprocessing }),
    ...(binarization !== undefined && { binarization }),
    ...(freeBits !== undefined && { freeBits }),
    ...(warmup !== undefined && { warmup }),
    ...(description !== undefined && { description }),
  });
}

function networks(
  options: VaeOptions,
  features: number,
  sizes: { readonly outputs: number; readonly decoded: number },
  seeds: { readonly encoder: number; readonly decoder: number },
): { encoder: Conditioner; decoder: Conditioner } {
  const { image, conv, latents, contextFeatures = 0, dtype = 'float32' } = options;
  const shared = { contextFeatures, dtype, zeroInitialized: false };
  if (!conv) {
    const { hidden = [512, 512], activation = 'relu' } = options;
    const { outputs, decoded } = sizes;
    const encoder = new Mlp({
      ...{ ...shared, inputs: features, outputs, hidden, activation, seed: seeds.encoder },
    });
    const decoder = new Mlp({
      ...{ ...shared, inputs: latents, outputs: decoded, activation },
      ...{ hidden: [...hidden].reverse(), seed: seeds.decoder },
    });
    return { encoder, decoder };
  }
  if (!image) {
    throw new FlowError(
      'ARGUMENT',
      expected('vae', 'image', 'height, width and channels', 'none', 'convolutions need them'),
    );
  }
  const { channels, blocks = 1, hidden = 450 } = conv;
  const { activation = 'elu' } = options;
  const outputsPerPixel = sizes.decoded / (image.height * image.width);
  const network = { ...shared, image, channels, blocks, hidden, activation };
  return {
    encoder: new ConvEncoder({ ...network, outputs: sizes.outputs, seed: seeds.encoder }),
    decoder: new ConvDecoder({
      ...{ ...network, inputs: latents, outputsPerPixel, seed: seeds.decoder },
    }),
  };
}

function likelihoodOf(
  given: NonNullable<VaeOptions['likelihood']>,
  features: number,
  channels = 1,
): Likelihood {
  if (given instanceof Likelihood) return given;
  if (given === 'bernoulli') return new BernoulliLikelihood(features);
  if (given === 'normal') return new NormalLikelihood(features);
  if (given === 'logistic') return new LogisticMixtureLikelihood({ features, channels });
  throw unknown('likelihood', 'bernoulli, normal, logistic or a Likelihood', given);
}

function posteriorOf(
  given: NonNullable<VaeOptions['posterior']>,
  defaults: IafPosteriorOptions,
): Bijection | null {
  if (given instanceof Bijection) return given;
  if (given === 'diagonal') return null;
  if (given === 'iaf') return iafPosterior(defaults);
  const { kind, ...options } =
    typeof given === 'object' ? { kind: null, ...given } : { kind: given };
  if (kind === null) return iafPosterior({ ...defaults, ...options });
  if (kind in finiteMaps) return finitePosterior({ ...defaults, ...options, kind });
  throw unknown(
    'posterior',
    'diagonal, iaf, planar, radial, sylvester, options or a bijection',
    kind,
  );
}

function priorOf(given: NonNullable<VaeOptions['prior']>, defaults: MafPriorOptions): Flow | null {
  if (given instanceof Flow) return given;
  if (given === 'normal') return null;
  if (given === 'maf') return mafPrior(defaults);
  if (typeof given === 'object') return mafPrior({ ...defaults, ...given });
  throw unknown('prior', 'normal, maf, its options or a flow', given);
}

function unknown(what: string, wanted: string, got: unknown): FlowError {
  return new FlowError('ARGUMENT', expected('vae', what, wanted, String(got), 'pass one of them'));
}

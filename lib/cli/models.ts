/** The flows that `train --model` makes. */
import {
  type Flow,
  type FlowParts,
  type GlowOptions,
  glow,
  iaf,
  type MafOptions,
  made,
  maf,
  nice,
  type RealNvpOptions,
  realnvp,
  realnvpImage,
} from '../flows';
import type { ImageShape } from './dataset';
import type { ModelKind, TrainOptions } from './program';
import { UsageError } from './status';

/** What a model is made for. */
export interface ModelInput
  extends Pick<FlowParts, 'preprocessing' | 'dequantization' | 'description'> {
  readonly features: number;
  readonly contextFeatures: number;
  /** Set where the rows are images. */
  readonly image: ImageShape | null;
}

/** What a model takes where the options say nothing. */
export interface ModelDefaults {
  readonly hidden: number[];
  readonly scaleBound?: number;
}

type Optional =
  | 'transforms'
  | 'batchNorm'
  | 'permutation'
  | 'scaleBound'
  | 'degrees'
  | 'activation'
  | 'residual'
  | 'coupling'
  | 'scales'
  | 'blocks'
  | 'flat';
const words: Record<Optional, string> = {
  transforms: '--transforms',
  batchNorm: '--batch-norm',
  permutation: '--permutation',
  scaleBound: '--scale-bound',
  degrees: '--degrees',
  activation: '--activation',
  residual: '--residual',
  coupling: '--coupling',
  scales: '--scales',
  blocks: '--blocks',
  flat: '--flat',
};

/** What only flows on images know. */
const ofImages = ['coupling', 'scales', 'blocks', 'flat'] as const;

interface Model {
  /** Options that it does not know. */
  readonly lacks: readonly Optional[];
  defaults(image: boolean, options: Pick<TrainOptions, 'flat'>): ModelDefaults;
  build(options: TrainOptions, input: ModelInput): Flow;
}

const autoregressive = {
  lacks: ofImages,
  // Many transforms of many dimensions with a loose bound draw rows that run away from the data: see demo.ts.
  defaults: (image: boolean) =>
    image ? { hidden: [1024], scaleBound: 2 } : { hidden: [256, 256], scaleBound: 5 },
};

const models: Record<ModelKind, Model> = {
  maf: { ...autoregressive, build: (options, input) => maf(mafOptions(options, input)) },
  iaf: { ...autoregressive, build: (options, input) => iaf(mafOptions(options, input)) },
  made: {
    ...autoregressive,
    lacks: ['transforms', 'permutation', ...ofImages],
    build: (options, input) => made(mafOptions(options, input)),
  },
  realnvp: {
    lacks: ['degrees', 'coupling'],
    defaults: (image, { flat }) => ({ hidden: image ? (flat ? [512, 512] : [32]) : [256, 256] }),
    build(options, input) {
      if (input.image && !options.flat) return imageRealNvp(options, input, input.image);
      refuse(options, ['scales', 'blocks'], ' on rows of a table');
      const { permutation, scaleBound } = options;
      if (permutation !== undefined && permutation !== 'random') {
        throw new UsageError(
          `--model realnvp swaps the halves: --permutation is random or left out, not ${permutation}`,
        );
      }
      const scale: Pick<RealNvpOptions, 'scale'> =
        scaleBound === undefined ? {} : { scale: { kind: 'atan', bound: scaleBound } };
      const permuted = permutation === undefined ? {} : { permutation };
      return realnvp({
        ...shared(options, input),
        ...pass(options, 'transforms', 'batchNorm'),
        ...permuted,
        ...scale,
      });
    },
  },
  nice: {
    lacks: ['degrees', 'permutation', 'batchNorm', 'scaleBound', ...ofImages],
    defaults: (image) => ({
      hidden: image ? Array.from({ length: 5 }, () => 1000) : [256, 256],
    }),
    build: (options, input) => nice({ ...shared(options, input), ...pass(options, 'transforms') }),
  },
  glow: {
    lacks: ['degrees', 'batchNorm', 'activation', 'residual', 'blocks', 'flat'],
    defaults: () => ({ hidden: [128] }),
    build(options, input) {
      const { image, features: _features, ...parts } = input;
      if (!image) throw new UsageError('--model glow is for images');
      const { permutation = 'lu', coupling, scaleBound, dtype, seed } = options;
      if (permutation === 'none') {
        throw new UsageError('--model glow mixes the channels: --permutation is not none');
      }
      return glow({
        ...parts,
        image: sidesOf(image),
        levels: options.scales ?? halvings(image, 3),
        steps: options.transforms ?? 8,
        hidden: channelsOf(options, [128]),
        permutation: (permutation === 'random'
          ? 'shuffle'
          : permutation) as GlowOptions['permutation'] & string,
        ...(coupling && { coupling }),
        // Bounded both ways: samples of a model that has hardly trained do not run away.
        scale: scaleBound === undefined ? { kind: 'tanh' } : { kind: 'atan', bound: scaleBound },
        dtype,
        seed,
      });
    },
  },
};

function imageRealNvp(options: TrainOptions, input: ModelInput, image: ImageShape): Flow {
  const { features: _features, image: _image, ...parts } = input;
  refuse(
    options,
    ['transforms', 'permutation', 'scaleBound', 'activation', 'residual'],
    ' on images',
  );
  return realnvpImage({
    ...parts,
    image: sidesOf(image),
    scales: options.scales ?? 1 + halvings(image, 1),
    hidden: channelsOf(options, [32]),
    blocks: options.blocks ?? 2,
    ...pass(options, 'batchNorm'),
    dtype: options.dtype,
    seed: options.seed,
  });
}

const sidesOf = ([height, width, channels]: ImageShape) => ({ height, width, channels });

/** How often both sides can be halved, at most `most` times. */
function halvings([height, width]: ImageShape, most: number): number {
  let count = 0;
  while (count < most && height % 2 ** (count + 1) === 0 && width % 2 ** (count + 1) === 0) count++;
  if (count > 0 || most <= 1) return count;
  throw new UsageError(
    `images of ${height} × ${width} cannot be halved: --pad them to ${2 * Math.ceil(Math.max(height, width) / 2)}`,
  );
}

/** The one width of a convolutional network. */
function channelsOf(options: TrainOptions, usual: number[]): number {
  const [channels, ...more] = options.hidden ?? usual;
  if (more.length === 0) return channels as number;
  throw new UsageError(
    `--hidden ${options.hidden?.join(',')}: --model ${options.model} on images takes one number, its channels`,
  );
}

/** @throws UsageError where one of the options is set */
function refuse(options: TrainOptions, keys: readonly Optional[], where = ''): void {
  for (const key of keys) {
    if (options[key] === undefined) continue;
    throw new UsageError(`--model ${options.model}${where} has no ${words[key]}: leave it out`);
  }
}

function pass<K extends keyof TrainOptions>(options: TrainOptions, ...keys: K[]) {
  return Object.fromEntries(
    keys.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]),
  );
}

function shared(options: TrainOptions, { image, ...input }: ModelInput) {
  const { dtype, seed, model } = options;
  const hidden = options.hidden ?? models[model].defaults(image !== null, options).hidden;
  return { ...input, hidden, dtype, seed, ...pass(options, 'activation', 'residual') };
}

function mafOptions(options: TrainOptions, input: ModelInput): MafOptions {
  const { permutation = 'reverse' } = options;
  if (!['reverse', 'random', 'none'].includes(permutation)) {
    throw new UsageError(
      `--permutation ${permutation} is for --model glow: choose reverse, random or none`,
    );
  }
  const usual = models[options.model].defaults(input.image !== null, options).scaleBound;
  const bound = options.scaleBound ?? usual;
  return {
    ...shared(options, input),
    scale: { kind: 'softClamp', bound: bound as number },
    ...pass(options, 'transforms', 'permutation', 'batchNorm', 'degrees'),
  };
}

export function modelDefaults(options: TrainOptions, image: boolean): ModelDefaults {
  return models[options.model].defaults(image, options);
}

/** @throws UsageError where an option does not belong to the model */
export function buildModel(options: TrainOptions, input: ModelInput): Flow {
  const { lacks, build } = models[options.model];
  refuse(options, lacks);
  return build(options, input);
}

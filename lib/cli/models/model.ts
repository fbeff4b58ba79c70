/** What `train --model` asks of a model: which options it takes, its defaults, and how it is built. */
import type { Distribution } from '../../distributions';
import type { FlowParts } from '../../flows';
import type { GenerativeModel, WaveNet } from '../../models';
import type { Loss } from '../../train';
import type { ImageShape } from '../dataset';
import type { TrainOptions } from '../grammar/train';
import type { Preprocess } from '../preprocess';
import { UsageError } from '../status';

/** What a model is made for. */
export interface ModelInput
  extends Pick<
    FlowParts,
    'preprocessing' | 'contextPreprocessing' | 'dequantization' | 'description'
  > {
  readonly features: number;
  readonly contextFeatures: number;
  /** Set where the rows are images. */
  readonly image: ImageShape | null;
  /** Set where it is not the recipe's own. */
  readonly base?: Distribution;
}

/** What a model takes where the options say nothing. */
export interface ModelDefaults {
  readonly hidden: number[];
  readonly scaleBound?: number;
  /** Rows a step; left out: 256, of images 128. */
  readonly batchSize?: number;
}

/** The options that not every model takes, as they stand on the command line. */
const words = {
  transforms: '--transforms',
  batchNorm: '--batch-norm',
  networkActNorm: '--network-act-norm',
  permutation: '--permutation',
  scaleBound: '--scale-bound',
  norm: '--norm',
  base: '--base',
  components: '--components',
  dequantization: '--dequantization',
  degrees: '--degrees',
  activation: '--activation',
  residual: '--residual',
  coupling: '--coupling',
  scales: '--scales',
  blocks: '--blocks',
  flat: '--flat',
  latents: '--latents',
  posterior: '--posterior',
  prior: '--prior',
  likelihood: '--likelihood',
  conv: '--conv',
  freeBits: '--free-bits',
  klWarmup: '--kl-warmup',
  importance: '--importance',
  layers: '--layers',
  stacks: '--stacks',
  spectrum: '--spectrum',
  hop: '--hop',
  teacher: '--teacher',
  power: '--power',
  draws: '--draws',
  regularization: '--regularization',
  gated: '--gated',
  scan: '--scan',
  solver: '--solver',
  solverSteps: '--solver-steps',
  tolerance: '--tolerance',
  trace: '--trace',
  gradient: '--gradient',
  kinetic: '--kinetic',
  jacobian: '--jacobian',
  matching: '--matching',
} as const satisfies Partial<Record<keyof TrainOptions, string>>;

export type ModelOption = keyof typeof words;

/** What every flow takes. */
export const ofFlows = [
  'base',
  'components',
  'dequantization',
  'importance',
] as const satisfies readonly ModelOption[];

export interface Model {
  /** The options that it takes besides those of all models. */
  readonly takes: readonly ModelOption[];
  /** How the data come to it, where not as to a flow. */
  preprocess?(options: TrainOptions, image: ImageShape | null): Preprocess | null;
  defaults(image: boolean, options: Pick<TrainOptions, 'flat'>): ModelDefaults;
  /** @param teacher of a student */
  build(
    options: TrainOptions,
    input: ModelInput,
    defaults: ModelDefaults,
    teacher: WaveNet | null,
  ): GenerativeModel;
  /** What training makes small, where it is not −log p. */
  loss?(options: TrainOptions, teacher: WaveNet | null): Loss | null;
  /** False: log p of held-out rows is reported, but does not say which epoch is best. */
  readonly selects?: false;
}

/** @throws UsageError where one of the options is set */
export function refuse(options: TrainOptions, keys: readonly ModelOption[], where = ''): void {
  for (const key of keys) {
    if (options[key] === undefined) continue;
    throw new UsageError(`--model ${options.model}${where} has no ${words[key]}: leave it out`);
  }
}

/** @throws UsageError where an option is set that the model does not take */
export function refuseOthers(options: TrainOptions, takes: readonly ModelOption[]): void {
  const others = (Object.keys(words) as ModelOption[]).filter((key) => !takes.includes(key));
  refuse(options, others);
}

/** Those of the options that are set. */
export function pass<K extends keyof TrainOptions>(options: TrainOptions, ...keys: K[]) {
  return Object.fromEntries(
    keys.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]),
  );
}

/** What all flows with multilayer perceptrons take. */
export function shared(
  options: TrainOptions,
  { image: _image, ...input }: ModelInput,
  defaults: ModelDefaults,
) {
  const { dtype, seed, hidden = defaults.hidden } = options;
  return { ...input, hidden, dtype, seed, ...pass(options, 'activation', 'residual') };
}

/** What flows of images with convolutional networks take. */
export function sharedOfImages(
  options: TrainOptions,
  { features: _features, image: _image, ...input }: ModelInput,
  image: ImageShape,
  defaults: ModelDefaults,
) {
  const { dtype, seed, scales = 1 + halvings(image, 1) } = options;
  const hidden = channelsOf(options, defaults);
  return { ...input, image: sidesOf(image), scales, hidden, dtype, seed };
}

export const sidesOf = ([height, width, channels]: ImageShape) => ({ height, width, channels });

/** How often both sides can be halved, at most `most` times. */
export function halvings([height, width]: ImageShape, most: number): number {
  let count = 0;
  while (count < most && height % 2 ** (count + 1) === 0 && width % 2 ** (count + 1) === 0) count++;
  if (count > 0 || most <= 1) return count;
  throw new UsageError(
    `images of ${height} × ${width} cannot be halved: --pad them to ${2 * Math.ceil(Math.max(height, width) / 2)}`,
  );
}

/** The one width of a convolutional network. */
export function channelsOf(options: TrainOptions, { hidden }: ModelDefaults): number {
  const [channels, ...more] = options.hidden ?? hidden;
  if (more.length === 0) return channels as number;
  throw new UsageError(
    `--hidden ${options.hidden?.join(',')}: --model ${options.model} takes one number here, its channels`,
  );
}

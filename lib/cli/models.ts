/** The flows that `train --model` makes. */
import {
  type Flow,
  type FlowParts,
  iaf,
  type MafOptions,
  made,
  maf,
  nice,
  type RealNvpOptions,
  realnvp,
} from '../flows';
import type { ModelKind, TrainOptions } from './program';
import { UsageError } from './status';

/** What a model is made for. */
export interface ModelInput
  extends Pick<FlowParts, 'preprocessing' | 'dequantization' | 'description'> {
  readonly features: number;
  readonly contextFeatures: number;
  /** Whether the rows are images. */
  readonly image: boolean;
}

/** What a model takes where the options say nothing. */
export interface ModelDefaults {
  readonly hidden: number[];
  readonly scaleBound?: number;
}

type Optional = 'transforms' | 'batchNorm' | 'permutation' | 'scaleBound' | 'degrees';
const words: Record<Optional, string> = {
  transforms: '--transforms',
  batchNorm: '--batch-norm',
  permutation: '--permutation',
  scaleBound: '--scale-bound',
  degrees: '--degrees',
};

interface Model {
  /** Options that it does not know. */
  readonly lacks: readonly Optional[];
  defaults(image: boolean): ModelDefaults;
  build(options: TrainOptions, input: ModelInput): Flow;
}

const autoregressive = {
  lacks: [],
  // Many transforms of many dimensions with a loose bound draw rows that run away from the data: see demo.ts.
  defaults: (image: boolean) =>
    image ? { hidden: [1024], scaleBound: 2 } : { hidden: [256, 256], scaleBound: 5 },
};

const models: Record<ModelKind, Model> = {
  maf: { ...autoregressive, build: (options, input) => maf(mafOptions(options, input)) },
  iaf: { ...autoregressive, build: (options, input) => iaf(mafOptions(options, input)) },
  made: {
    ...autoregressive,
    lacks: ['transforms', 'permutation'],
    build: (options, input) => made(mafOptions(options, input)),
  },
  realnvp: {
    lacks: ['degrees'],
    defaults: (image) => ({ hidden: image ? [512, 512] : [256, 256] }),
    build(options, input) {
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
    lacks: ['degrees', 'permutation', 'batchNorm', 'scaleBound'],
    defaults: (image) => ({
      hidden: image ? Array.from({ length: 5 }, () => 1000) : [256, 256],
    }),
    build: (options, input) => nice({ ...shared(options, input), ...pass(options, 'transforms') }),
  },
};

function pass<K extends keyof TrainOptions>(options: TrainOptions, ...keys: K[]) {
  return Object.fromEntries(
    keys.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]),
  );
}

function shared(options: TrainOptions, { image, ...input }: ModelInput) {
  const { dtype, seed, model } = options;
  const hidden = options.hidden ?? models[model].defaults(image).hidden;
  return { ...input, hidden, dtype, seed, ...pass(options, 'activation', 'residual') };
}

function mafOptions(options: TrainOptions, input: ModelInput): MafOptions {
  const bound = options.scaleBound ?? models[options.model].defaults(input.image).scaleBound;
  return {
    ...shared(options, input),
    scale: { kind: 'softClamp', bound: bound as number },
    ...pass(options, 'transforms', 'permutation', 'batchNorm', 'degrees'),
  };
}

export function modelDefaults(model: ModelKind, image: boolean): ModelDefaults {
  return models[model].defaults(image);
}

/** @throws UsageError where an option does not belong to the model */
export function buildModel(options: TrainOptions, input: ModelInput): Flow {
  const { lacks, build } = models[options.model];
  for (const key of lacks) {
    if (options[key] === undefined) continue;
    throw new UsageError(`--model ${options.model} has no ${words[key]}: leave it out`);
  }
  return build(options, input);
}

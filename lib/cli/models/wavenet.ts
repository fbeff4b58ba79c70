/** wavenet. */
import { type WaveConditioning, type WaveLikelihood, WaveNet } from '../../models';
import { readDescription } from '../dataset';
import type { TrainOptions } from '../grammar/train';
import { UsageError } from '../status';
import { channelsOf, type Model, pass } from './model';

/** Levels where nothing is said; those that sound is written in. */
const usualLevels = { categorical: 256, logistic: 65536 } as const;

/** How sound is written for each likelihood. */
const encodings = { categorical: 'mulaw', logistic: 'linear', normal: 'none' } as const;

/** The likelihood, where it is said or follows from levels; else numbers are taken. @throws UsageError */
function likelihoodOf({ likelihood, levels }: TrainOptions): WaveLikelihood['kind'] {
  const kind = likelihood ?? (levels === undefined ? 'normal' : 'categorical');
  if (kind !== 'bernoulli' && (kind !== 'normal' || levels === undefined)) return kind;
  throw new UsageError(
    kind === 'normal'
      ? '--likelihood normal is for numbers: leave out --levels'
      : '--likelihood bernoulli: --model wavenet has categorical, logistic or normal',
  );
}

/** The options for data that are sound: its encoding follows from the likelihood. @throws UsageError */
export function optionsOfSound(options: TrainOptions): TrainOptions {
  const likelihood = likelihoodOf({ likelihood: 'categorical', ...options });
  if (options.levels !== undefined && likelihood !== 'normal') {
    const count = usualLevels[likelihood];
    throw new UsageError(
      `--levels: sound has ${count} levels with --likelihood ${likelihood}: leave it out`,
    );
  }
  return { ...options, likelihood, encoding: encodings[likelihood] };
}

/** @throws UsageError for more than one number */
function stacksOf({ stacks }: TrainOptions): { stacks?: number } {
  if (stacks === undefined) return {};
  const [count, ...more] = [stacks].flat();
  if (more.length === 0) return { stacks: count as number };
  throw new UsageError(
    `--stacks ${[stacks].flat().join(',')}: --model wavenet takes one number here`,
  );
}

/** Frames of the spectrum, and what else the context has for the whole sequence. */
function conditioningOf(
  length: number,
  contextFeatures: number,
  description: Readonly<Record<string, string>> = {},
): WaveConditioning {
  const spectrum = readDescription(description).sound?.spectrum;
  const frames = spectrum ? (length / spectrum.hop) * spectrum.bands : 0;
  const global = contextFeatures - frames;
  return {
    ...(spectrum && { local: { channels: spectrum.bands, hop: spectrum.hop } }),
    ...(global > 0 && { global }),
  };
}

export const waveNetModels = {
  wavenet: {
    takes: ['likelihood', 'layers', 'stacks', 'spectrum', 'hop'],
    defaults: () => ({ hidden: [64], batchSize: 8 }),
    preprocess(options, image) {
      if (image) throw new UsageError('--model wavenet is for sound and other sequences');
      const { levels, logit, standardize } = options;
      if (logit !== undefined || standardize) {
        throw new UsageError(
          '--model wavenet takes the data as they are: leave out --logit and --standardize',
        );
      }
      const kind = likelihoodOf(options);
      if (kind === 'normal') return { kind: 'none' };
      return { kind: 'integers', levels: levels ?? usualLevels[kind] };
    },
    build(options, input, defaults) {
      const { features, contextFeatures, contextPreprocessing, description } = input;
      const { levels, dtype, seed } = options;
      const kind = likelihoodOf(options);
      return new WaveNet({
        length: features,
        likelihood: { kind, ...(kind !== 'normal' && levels !== undefined && { levels }) },
        hidden: channelsOf(options, defaults),
        ...pass(options, 'layers'),
        ...stacksOf(options),
        ...conditioningOf(features, contextFeatures, description),
        contextPreprocessing,
        ...(description && { description }),
        dtype,
        seed,
      });
    },
  },
} satisfies Record<string, Model>;

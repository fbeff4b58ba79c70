/** pixelcnn, pixelrnn. */
import { PixelCnn, type PixelLikelihoodKind, PixelRnn } from '../../models';
import type { ImageShape } from '../dataset';
import type { TrainOptions } from '../grammar/train';
import { UsageError } from '../status';
import {
  channelsOf,
  type Model,
  type ModelDefaults,
  type ModelInput,
  pass,
  sidesOf,
} from './model';

/** Bytes of images that say nothing else. */
const usualLevels = 256;

/** @throws UsageError */
function likelihoodOf({ likelihood = 'bernoulli', model }: TrainOptions): PixelLikelihoodKind {
  if (likelihood !== 'normal') return likelihood;
  throw new UsageError(
    `--likelihood normal: --model ${model} has bernoulli, categorical or logistic`,
  );
}

/** What both take. */
function common(options: TrainOptions, input: ModelInput, defaults: ModelDefaults) {
  const image = sidesOf(input.image as ImageShape);
  const { levels = usualLevels, dtype, seed } = options;
  const likelihood = likelihoodOf(options);
  return {
    image,
    likelihood,
    ...(likelihood === 'bernoulli' ? levels > 2 && { binarization: { levels } } : { levels }),
    hidden: channelsOf(options, defaults),
    ...pass(options, 'layers'),
    ...(input.description && { description: input.description }),
    contextPreprocessing: input.contextPreprocessing,
    dtype,
    seed,
  };
}

const ofImages: Pick<Model, 'preprocess'> = {
  preprocess(options, image) {
    const { model, logit, standardize, levels = usualLevels } = options;
    const likelihood = likelihoodOf(options);
    if (!image) throw new UsageError(`--model ${model} is for images`);
    if (logit !== undefined || standardize) {
      throw new UsageError(
        `--model ${model} takes levels as they are: leave out --logit and --standardize`,
      );
    }
    return likelihood === 'bernoulli' && levels > 2
      ? { kind: 'bits', levels }
      : { kind: 'integers', levels };
  },
};

export const pixelModels = {
  pixelcnn: {
    ...ofImages,
    takes: ['likelihood', 'layers', 'gated'],
    defaults: () => ({ hidden: [64], batchSize: 16 }),
    build: (options, input, defaults) => {
      const { contextFeatures } = input;
      if (contextFeatures > 0 && !options.gated) {
        throw new UsageError('--model pixelcnn conditions on classes with --gated');
      }
      return new PixelCnn({
        ...common(options, input, defaults),
        ...(options.gated && { gated: true, contextFeatures }),
      });
    },
  },
  pixelrnn: {
    ...ofImages,
    takes: ['likelihood', 'layers', 'scan'],
    defaults: () => ({ hidden: [16], batchSize: 16 }),
    build(options, input, defaults) {
      return new PixelRnn({
        ...common(options, input, defaults),
        contextFeatures: input.contextFeatures,
        ...(options.scan && { scan: options.scan }),
      });
    },
  },
} satisfies Record<string, Model>;

/** The models that `train --model` makes: a file a family; their names stand in grammar/train.ts. */
import type { GenerativeModel, WaveNet } from '../../models';
import type { Loss } from '../../train';
import type { ImageShape } from '../dataset';
import type { ModelKind, TrainOptions } from '../grammar/train';
import type { Preprocess } from '../preprocess';
import { autoregressiveModels } from './autoregressive';
import { baseOf, withNoise } from './base';
import { continuousModels } from './continuous';
import { couplingModels } from './coupling';
import { flowppModels } from './flowpp';
import { type Model, type ModelDefaults, type ModelInput, refuseOthers } from './model';
import { monotoneModels } from './monotone';
import { parallelWaveNetModels } from './parallelWavenet';
import { pixelModels } from './pixel';
import { residualModels } from './residual';
import { splineModels } from './spline';
import { vaeModels } from './vae';
import { waveNetModels } from './wavenet';

const models: Record<ModelKind, Model> = {
  ...autoregressiveModels,
  ...continuousModels,
  ...couplingModels,
  ...flowppModels,
  ...monotoneModels,
  ...parallelWaveNetModels,
  ...pixelModels,
  ...residualModels,
  ...splineModels,
  ...vaeModels,
  ...waveNetModels,
};

export function modelDefaults(options: TrainOptions, image: boolean): ModelDefaults {
  return models[options.model].defaults(image, options);
}

/** What training makes small; null: −log p. */
export function modelLoss(options: TrainOptions, teacher: WaveNet | null): Loss | null {
  return models[options.model].loss?.(options, teacher) ?? null;
}

/** Whether log p of held-out rows says which epoch is best. */
export function modelSelects(options: TrainOptions): boolean {
  return models[options.model].selects ?? true;
}

/** What a model of its own does with the data; null: what suits flows. @throws UsageError */
export function modelPreprocess(
  options: TrainOptions,
  image: ImageShape | null,
): Preprocess | null {
  return models[options.model].preprocess?.(options, image) ?? null;
}

/** @throws UsageError where an option does not belong to the model */
export function buildModel(
  options: TrainOptions,
  input: ModelInput,
  teacher: WaveNet | null,
): GenerativeModel {
  const { takes, build } = models[options.model];
  refuseOthers(options, takes);
  // Of models that are no flows, the option means what they make of it.
  const base = takes.includes('components') ? baseOf(options, input.features) : null;
  const parts = base ? { ...input, base } : input;
  const defaults = modelDefaults(options, input.image !== null);
  return withNoise(options, build(options, parts, defaults, teacher));
}

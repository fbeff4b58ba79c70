/** The models that `train --model` makes: a file a family; their names stand in grammar/train.ts. */
import type { Flow } from '../../flows';
import type { ModelKind, TrainOptions } from '../grammar/train';
import { autoregressiveModels } from './autoregressive';
import { couplingModels } from './coupling';
import { type Model, type ModelDefaults, type ModelInput, refuseOthers } from './model';

const models: Record<ModelKind, Model> = { ...autoregressiveModels, ...couplingModels };

export function modelDefaults(options: TrainOptions, image: boolean): ModelDefaults {
  return models[options.model].defaults(image, options);
}

/** @throws UsageError where an option does not belong to the model */
export function buildModel(options: TrainOptions, input: ModelInput): Flow {
  const { takes, build } = models[options.model];
  refuseOthers(options, takes);
  return build(options, input, modelDefaults(options, input.image !== null));
}

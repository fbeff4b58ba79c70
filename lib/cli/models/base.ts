/** What goes around any flow: the distribution that it starts from (`train --base`) and the noise of integers (`--dequantization`). */
import {
  type Distribution,
  GaussianMixture,
  Resampled,
  StandardLogistic,
  StandardNormal,
  StudentT,
} from '../../distributions';
import { Flow } from '../../flows';
import { type GenerativeModel, variationalDequantization } from '../../models';
import type { TrainOptions } from '../grammar/train';
import { UsageError } from '../status';

/** Null: the recipe's own. @throws UsageError for components of what has none */
export function baseOf(options: TrainOptions, features: number): Distribution | null {
  const { base, components, dtype, seed } = options;
  if (components !== undefined && base !== 'mixture')
    throw new UsageError('--components is for --base mixture: leave it out');
  if (base === undefined) return null;
  if (base === 'normal') return new StandardNormal(features, dtype);
  if (base === 'logistic') return new StandardLogistic(features, dtype);
  if (base === 'student-t') return new StudentT({ features, dtype });
  if (base === 'mixture') return new GaussianMixture(features, components ?? 10, dtype, seed);
  return new Resampled({ features, seed, dtype });
}

/** The model with learned noise, where it is asked for. @throws UsageError for flows of numbers */
export function withNoise(options: TrainOptions, model: GenerativeModel): GenerativeModel {
  if (!(model instanceof Flow)) return model;
  const { dequantization, importance, seed } = options;
  if (dequantization === 'variational') {
    if (model.dequantization) return variationalDequantization(model, { seed: seed + 32452843 });
    throw new UsageError('--dequantization variational is for integers: pass --levels');
  }
  if (importance === undefined) return model;
  throw new UsageError(
    '--importance is for models that bound log p: take --dequantization variational, or leave it out',
  );
}

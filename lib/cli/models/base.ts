/** `train --base`: the distribution that a flow starts from. */
import {
  type Distribution,
  GaussianMixture,
  Resampled,
  StandardLogistic,
  StandardNormal,
  StudentT,
} from '../../distributions';
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

/** Rows of the bijection contract: continuous flows. */
import { ContinuousFlow, type ContinuousFlowOptions } from '../../../lib/bijections';
import type { FloatDType } from '../../../lib/dtype';
import { VectorField, type VectorFieldOptions } from '../../../lib/nn';

import { type BijectionCase, randomized } from './case';

function continuous(
  dtype: FloatDType,
  network: VectorFieldOptions,
  seed: number,
  options: Partial<ContinuousFlowOptions>,
  scale = 1.2,
): ContinuousFlow {
  const field = new VectorField({ ...network, dtype });
  return randomized(new ContinuousFlow({ field, ...options }), seed, scale);
}

export const continuousCases: readonly BijectionCase[] = [
  {
    // One feature: what differences make of steps that are chosen anew each time takes all their patience.
    name: 'continuous, concatsquash, steps by the error',
    features: 1,
    // Ten steps with an error of at most 1e-8 each.
    roundTrip: 1e-7 / 2 ** -52,
    make: (dtype) =>
      continuous(
        dtype,
        { features: 1, hidden: [2] },
        28,
        {
          endTime: 0.5,
          use: { method: 'dopri5', ...(dtype === 'float64' && { rtol: 1e-8, atol: 1e-8 }) },
        },
        1.6,
      ),
  },
  {
    name: 'continuous, concat, two layers, context, fixed steps, gradients from checkpoints',
    features: 2,
    contextFeatures: 1,
    // Of order 4: steps of 0.07.
    roundTrip: 2e-6 / 2 ** -52,
    make: (dtype) =>
      continuous(
        dtype,
        { features: 2, hidden: [2, 3], time: 'concat', activation: 'swish', contextFeatures: 1 },
        10,
        { endTime: 0.21, use: { method: 'rk4', steps: 3 }, gradient: 'checkpoints' },
      ),
  },
];

/** Rows of the bijection contract: maps of each column or channel, and orders of them. */
import {
  ActNorm,
  Affine,
  BatchNorm,
  ConditionalAffine,
  Invert,
  Logit,
  Permutation,
  Squeeze,
} from '../../../lib/bijections';
import type { FloatDType } from '../../../lib/dtype';

import { type BijectionCase, randomized } from './case';

export function batchNorm(dtype: FloatDType): BatchNorm {
  const bijection = randomized(new BatchNorm({ features: 4, dtype }), 5);
  bijection.mean.write(Float64Array.of(0.5, -1, 2, 0.1));
  bijection.variance.write(Float64Array.of(0.3, 2, 1.5, 0.7));
  return bijection;
}

export const channelCases: readonly BijectionCase[] = [
  {
    name: 'affine, learned',
    features: 3,
    make: (dtype) =>
      randomized(new Affine({ logScale: [0, 0, 0], shift: [0, 0, 0], learned: true, dtype }), 1),
  },
  {
    name: 'affine, fixed',
    features: 3,
    make: (dtype) => new Affine({ logScale: [0.7, -1.2, 0.3], shift: [1, -2, 0.5], dtype }),
  },
  { name: 'logit', features: 3, domain: 'unit', make: () => new Logit(3, 0.05) },
  { name: 'sigmoid (inverted logit)', features: 3, make: () => new Invert(new Logit(3, 0)) },
  {
    name: 'permutation',
    features: 5,
    volumePreserving: true,
    make: () => new Permutation([3, 0, 4, 1, 2]),
  },
  {
    name: 'permutation of channels',
    features: 12,
    volumePreserving: true,
    make: () => new Permutation([2, 0, 1], { positions: 4 }),
  },
  { name: 'batch norm in use', features: 4, make: batchNorm },
  {
    name: 'batch norm of an image, in use',
    features: 12,
    make: (dtype) => {
      const bijection = randomized(new BatchNorm({ channels: 3, positions: 4, dtype }), 15);
      bijection.mean.write(Float64Array.of(0.5, -1, 2));
      bijection.variance.write(Float64Array.of(0.3, 2, 1.5));
      return bijection;
    },
  },
  {
    name: 'actnorm of a table',
    features: 5,
    make: (dtype) => randomized(new ActNorm({ channels: 5, dtype }), 10),
  },
  {
    name: 'actnorm of an image',
    features: 18,
    make: (dtype) => randomized(new ActNorm({ channels: 3, positions: 6, dtype }), 11),
  },
  {
    name: 'conditional affine',
    features: 6,
    contextFeatures: 3,
    make: (dtype) =>
      randomized(
        new ConditionalAffine({ channels: 2, positions: 3, contextFeatures: 3, dtype }),
        12,
      ),
  },
  {
    name: 'conditional affine without context',
    features: 6,
    make: (dtype) => randomized(new ConditionalAffine({ channels: 2, positions: 3, dtype }), 14),
  },
  {
    name: 'squeeze',
    features: 24,
    volumePreserving: true,
    make: () => new Squeeze({ height: 4, width: 2, channels: 3 }),
  },
];

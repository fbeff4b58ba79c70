/** Rows of the bijection contract: planar, radial and Sylvester maps. */
import { Planar, Radial, Sylvester } from '../../../lib/bijections';

import { type BijectionCase, randomized } from './case';

export const finiteCases: readonly BijectionCase[] = [
  {
    name: 'planar',
    features: 3,
    make: (dtype) => randomized(new Planar({ features: 3, dtype }), 70, 1),
  },
  {
    name: 'planar, context through a network',
    features: 3,
    contextFeatures: 2,
    make: (dtype) =>
      randomized(
        new Planar({ features: 3, contextFeatures: 2, hidden: [5], activation: 'tanh', dtype }),
        71,
      ),
  },
  {
    name: 'planar, leaky ReLU',
    features: 2,
    make: (dtype) => randomized(new Planar({ features: 2, transfer: 'leakyRelu', dtype }), 75, 1),
  },
  {
    name: 'radial',
    features: 3,
    make: (dtype) => randomized(new Radial({ features: 3, dtype }), 72, 1),
  },
  {
    name: 'radial, context',
    features: 2,
    contextFeatures: 3,
    make: (dtype) => randomized(new Radial({ features: 2, contextFeatures: 3, dtype }), 73, 1),
  },
  {
    name: 'Sylvester, orthogonal',
    features: 4,
    make: (dtype) => randomized(new Sylvester({ features: 4, columns: 2, dtype }), 80, 1),
  },
  {
    name: 'Sylvester, Householder, context',
    features: 3,
    contextFeatures: 2,
    make: (dtype) =>
      randomized(
        new Sylvester({
          features: 3,
          basis: 'householder',
          reflections: 2,
          contextFeatures: 2,
          dtype,
        }),
        77,
      ),
  },
  {
    name: 'Sylvester, triangular, reversed',
    features: 3,
    make: (dtype) =>
      randomized(new Sylvester({ features: 3, basis: 'triangular', reversed: true, dtype }), 78, 1),
  },
];

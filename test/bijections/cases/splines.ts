/** Rows of the bijection contract: splines. */
import {
  Autoregressive,
  Coupling,
  type CouplingSplit,
  couplingSizes,
  ElementwiseTransformer,
  SplineTransformer,
} from '../../../lib/bijections';
import { Mlp } from '../../../lib/nn';

import { type BijectionCase, randomized } from './case';

export const splineCases: readonly BijectionCase[] = [
  {
    name: 'autoregressive spline, context',
    features: 3,
    contextFeatures: 2,
    autoregressive: true,
    make: (dtype) =>
      randomized(
        new Autoregressive({
          features: 3,
          hidden: [9],
          activation: 'tanh',
          contextFeatures: 2,
          transformer: new SplineTransformer({ bins: 4, bound: 8 }),
          dtype,
        }),
        131,
      ),
  },
  {
    name: 'autoregressive cubic spline, given order, residual network',
    features: 3,
    make: (dtype) =>
      randomized(
        new Autoregressive({
          features: 3,
          hidden: [6, 6, 6],
          residual: true,
          direct: true,
          order: [2, 0, 1],
          activation: 'tanh',
          transformer: new SplineTransformer({ kind: 'cubic', bins: 3, bound: 8 }),
          dtype,
        }),
        132,
        0.4,
      ),
  },
  {
    name: 'coupling with quadratic splines',
    features: 4,
    make: (dtype) => {
      const transformer = new SplineTransformer({ kind: 'quadratic', bins: 3, bound: 8 });
      const split: CouplingSplit = { kind: 'columns', transformed: 'second' };
      const sizes = couplingSizes(4, split, transformer);
      const conditioner = new Mlp({ ...sizes, hidden: [6], activation: 'tanh', dtype });
      return randomized(new Coupling({ channels: 4, split, transformer, conditioner, dtype }), 133);
    },
  },
  {
    name: 'circular spline of each feature, context',
    features: 2,
    contextFeatures: 2,
    make: (dtype) => {
      const transformer = new SplineTransformer({ tails: 'circular', bins: 3, bound: Math.PI });
      const options = { features: 2, contextFeatures: 2, transformer, dtype };
      return randomized(new ElementwiseTransformer(options), 134);
    },
  },
];

/** Rows of the bijection contract: one function of each number. */
import { Elementwise, type ElementwiseMap } from '../../../lib/bijections';

import { type BijectionCase, randomized } from './case';

const elementwise: readonly (readonly [ElementwiseMap, number])[] = [
  ['leakyRelu', 0],
  ['parametricRelu', 2],
  ['sigmoid', 0],
  ['tanh', 0],
  ['softplus', 0],
  ['exp', 0],
  ['sinhArcsinh', 2],
  ['normalCdf', 0],
];
export const elementwiseCases: readonly BijectionCase[] = [
  ...elementwise.map(
    ([map, contextFeatures], k): BijectionCase => ({
      name: `element-wise ${map}${contextFeatures ? ', context' : ''}`,
      features: 2,
      contextFeatures,
      domain: map.endsWith('Relu') ? 'signed' : 'real',
      make: (dtype) =>
        randomized(new Elementwise({ features: 2, map, contextFeatures, dtype }), 110 + k, 0.4),
    }),
  ),
  {
    name: 'element-wise power',
    features: 3,
    domain: 'unit',
    make: (dtype) => randomized(new Elementwise({ features: 3, map: 'power', dtype }), 121),
  },
];

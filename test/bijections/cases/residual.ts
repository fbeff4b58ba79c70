/** Rows of the bijection contract: residual blocks. */
import { type Bijection, ResidualBlock, type ResidualBlockOptions } from '../../../lib/bijections';
import type { FloatDType } from '../../../lib/dtype';
import { LipschitzNet, type LipschitzNetOptions } from '../../../lib/nn';

import { type BijectionCase, randomized } from './case';

function residual(
  options: LipschitzNetOptions,
  block: Partial<ResidualBlockOptions> = {},
): (dtype: FloatDType) => Bijection {
  return (dtype) =>
    randomized(
      new ResidualBlock({
        network: new LipschitzNet({ coefficient: 0.9, ...options, dtype }),
        use: { kind: 'exact' },
        ...block,
      }),
      53,
      1.2,
    );
}

// Few parameters: each of them costs the tests some inverses.
export const residualCases: readonly BijectionCase[] = [
  { name: 'residual block', features: 2, make: residual({ channels: 2, hidden: [3] }) },
  {
    name: 'residual block, two softplus layers, context, plain iteration',
    features: 1,
    contextFeatures: 1,
    make: residual(
      {
        ...{ channels: 1, hidden: [2], activation: 'softplus', preActivation: true },
        contextFeatures: 1,
      },
      { solver: { anderson: 0 } },
    ),
  },
  {
    name: 'residual block, convolutions',
    features: 3,
    make: residual({
      ...{ channels: 1, image: { height: 1, width: 3 }, hidden: [1], activation: 'tanh' },
    }),
  },
  {
    name: 'residual block, learned norms',
    features: 2,
    make: residual({ channels: 2, hidden: [2], activation: 'elu', norm: { orders: 'learned' } }),
  },
];

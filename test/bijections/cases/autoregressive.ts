/** Rows of the bijection contract: masked autoregressive maps. */
import { Invert, MaskedAutoregressive } from '../../../lib/bijections';

import { type BijectionCase, randomized } from './case';

export const autoregressiveCases: readonly BijectionCase[] = [
  {
    name: 'masked autoregressive, tanh scale',
    features: 4,
    autoregressive: true,
    make: (dtype) =>
      randomized(
        new MaskedAutoregressive({
          features: 4,
          hidden: [9],
          activation: 'tanh',
          scale: { kind: 'tanh', bound: 1 },
          dtype,
        }),
        2,
      ),
  },
  {
    name: 'masked autoregressive, two layers, soft clamp, context, direct connections',
    features: 5,
    contextFeatures: 2,
    autoregressive: true,
    make: (dtype) =>
      randomized(
        new MaskedAutoregressive({
          features: 5,
          hidden: [12, 7],
          activation: 'sigmoid',
          contextFeatures: 2,
          direct: true,
          degrees: 'random',
          seed: 3,
          dtype,
        }),
        3,
      ),
  },
  {
    name: 'gated autoregressive step of an IAF, reversed order, context',
    features: 3,
    contextFeatures: 2,
    make: (dtype) =>
      randomized(
        new MaskedAutoregressive({
          features: 3,
          hidden: [7],
          contextFeatures: 2,
          activation: 'tanh',
          order: 'reversed',
          scale: { kind: 'gate', bias: 1.5 },
          dtype,
        }),
        9,
      ),
  },
  {
    name: 'masked autoregressive of one feature',
    features: 1,
    autoregressive: true,
    make: (dtype) =>
      randomized(
        new MaskedAutoregressive({ features: 1, hidden: [4], activation: 'tanh', dtype }),
        40,
        3,
      ),
  },
  {
    name: 'masked autoregressive, given order, residual network',
    features: 4,
    make: (dtype) =>
      randomized(
        new MaskedAutoregressive({
          features: 4,
          hidden: [8, 8, 8],
          residual: true,
          order: [2, 0, 3, 1],
          activation: 'tanh',
          dtype,
        }),
        6,
      ),
  },
  {
    name: 'inverse autoregressive (inverted)',
    features: 4,
    make: (dtype) =>
      new Invert(
        randomized(
          new MaskedAutoregressive({ features: 4, hidden: [8, 8], activation: 'tanh', dtype }),
          7,
          0.4,
        ),
      ),
  },
];

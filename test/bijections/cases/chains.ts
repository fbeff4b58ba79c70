/** Rows of the bijection contract: compositions. */
import {
  ActNorm,
  Affine,
  Chain,
  ConditionalAffine,
  MaskedAutoregressive,
  MultiScale,
  Permutation,
  Squeeze,
} from '../../../lib/bijections';
import { glow } from '../../../lib/flows';

import { type BijectionCase, randomized } from './case';
import { batchNorm } from './channels';

export const chainCases: readonly BijectionCase[] = [
  {
    name: 'multi-scale of three scales, context at two of them',
    features: 32,
    contextFeatures: 2,
    make: (dtype) => {
      const part = (channels: number, positions: number, seed: number) =>
        randomized(new ActNorm({ channels, positions, dtype }), seed);
      const conditional = (channels: number, positions: number, seed: number) =>
        randomized(new ConditionalAffine({ channels, positions, contextFeatures: 2, dtype }), seed);
      return new MultiScale([
        {
          bijection: new Chain([
            new Squeeze({ height: 4, width: 4, channels: 2 }),
            part(8, 4, 20),
            conditional(8, 4, 21),
            Permutation.random(8, 3, 4),
          ]),
          channels: 8,
        },
        {
          bijection: new Chain([
            new Squeeze({ height: 2, width: 2, channels: 4 }),
            part(16, 1, 22),
          ]),
          channels: 16,
        },
        { bijection: new Chain([Permutation.reverse(8), conditional(8, 1, 23)]), channels: 8 },
      ]);
    },
  },
  {
    name: 'chain of four kinds',
    features: 4,
    make: (dtype) =>
      new Chain([
        randomized(
          new MaskedAutoregressive({ features: 4, hidden: [8], activation: 'tanh', dtype }),
          8,
        ),
        Permutation.reverse(4),
        batchNorm(dtype),
        randomized(
          new Affine({ logScale: [0, 0, 0, 0], shift: [0, 0, 0, 0], learned: true, dtype }),
          9,
        ),
      ]),
  },
  ...(['affine', 'additive'] as const).map(
    (coupling): BijectionCase => ({
      name: `Glow of two scales, ${coupling}, 4 × 4 × 2`,
      features: 32,
      contextFeatures: coupling === 'affine' ? 3 : 0,
      make: (dtype) => {
        const affine = coupling === 'affine';
        const { bijection } = glow({
          image: { height: 4, width: 4, channels: 2 },
          scales: 2,
          transforms: 1,
          hidden: 5,
          permutation: affine ? 'lu' : 'random',
          coupling,
          learnedPrior: affine,
          networkActNorm: !affine,
          contextFeatures: affine ? 3 : 0,
          preprocessing: null,
          dequantization: null,
          seed: 3,
          dtype,
        });
        return randomized(bijection, 60, 0.2);
      },
    }),
  ),
];

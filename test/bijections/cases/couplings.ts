/** Rows of the bijection contract: affine couplings. */
import {
  AffineCoupling,
  type CouplingScaleOption,
  type CouplingSplit,
  conditionerSizes,
} from '../../../lib/bijections';
import type { FloatDType } from '../../../lib/dtype';
import {
  ConvNet,
  type ConvNetOptions,
  Mlp,
  type MlpOptions,
  ResidualConvNet,
} from '../../../lib/nn';

import { type BijectionCase, randomized } from './case';

function coupling(
  dtype: FloatDType,
  channels: number,
  split: CouplingSplit,
  scale: CouplingScaleOption,
  network: Partial<MlpOptions> = {},
): AffineCoupling {
  const conditioner = new Mlp({
    ...conditionerSizes(channels, split, scale),
    hidden: [7],
    activation: 'tanh',
    ...network,
    dtype,
  });
  const { positions = 1 } = network;
  return randomized(
    new AffineCoupling({ channels, positions, split, scale, conditioner, dtype }),
    channels + positions,
  );
}

const couplingScales: readonly CouplingScaleOption[] = [
  { kind: 'additive' },
  { kind: 'exp' },
  { kind: 'tanh' },
  { kind: 'tanh', learned: false },
  { kind: 'sigmoid' },
  { kind: 'doubleSigmoid' },
  { kind: 'atan', bound: 1.5 },
];
const nameOf = (scale: CouplingScaleOption) =>
  'learned' in scale ? 'tanh without gain' : scale.kind;

/** A coupling of images of 2 × 3 pixels of two channels, with random weights all over. */
function convCoupling(
  split: CouplingSplit,
  options: Partial<ConvNetOptions> = {},
): Pick<BijectionCase, 'features' | 'make'> {
  const image = { height: 2, width: 3 };
  return {
    features: 12,
    make: (dtype) => {
      const conditioner = new ConvNet({
        ...{ image, hidden: 5, activation: 'tanh', dtype },
        ...conditionerSizes(2, split),
        ...options,
      });
      return randomized(
        new AffineCoupling({ channels: 2, positions: 6, split, conditioner, dtype }),
        31,
      );
    },
  };
}

export const couplingCases: readonly BijectionCase[] = [
  {
    name: 'affine coupling, residual convolutions, checkerboard',
    features: 12,
    make: (dtype) => {
      const split = {
        kind: 'checkerboard',
        image: { height: 2, width: 3 },
        parity: 0,
      } as const;
      const conditioner = new ResidualConvNet({
        ...{ image: split.image, hidden: 4, blocks: 1, activation: 'tanh', dtype },
        ...conditionerSizes(2, split),
      });
      return randomized(
        new AffineCoupling({ channels: 2, positions: 6, split, conditioner, dtype }),
        37,
      );
    },
  },
  {
    name: 'affine coupling, convolutions, columns',
    ...convCoupling({ kind: 'columns', transformed: 'second' }),
  },
  {
    name: 'affine coupling, convolutions, checkerboard, context',
    ...convCoupling(
      { kind: 'checkerboard', image: { height: 2, width: 3 }, parity: 1 },
      { contextFeatures: 2, outputScale: false },
    ),
    contextFeatures: 2,
  },
  ...couplingScales.map(
    (scale, k): BijectionCase => ({
      name: `affine coupling, ${nameOf(scale)}, columns`,
      features: 5,
      volumePreserving: scale.kind === 'additive',
      make: (dtype) =>
        coupling(
          dtype,
          5,
          { kind: 'columns', transformed: k % 2 === 0 ? 'first' : 'second' },
          scale,
        ),
    }),
  ),
  ...couplingScales.map(
    (scale, k): BijectionCase => ({
      name: `affine coupling, ${nameOf(scale)}, checkerboard`,
      features: 12,
      volumePreserving: scale.kind === 'additive',
      make: (dtype) =>
        coupling(
          dtype,
          2,
          {
            kind: 'checkerboard',
            image: { height: 2, width: 3 },
            parity: (k % 2) as 0 | 1,
          },
          scale,
          { positions: 6 },
        ),
    }),
  ),
  {
    name: 'affine coupling, one column first, context, residual network',
    features: 4,
    contextFeatures: 2,
    make: (dtype) =>
      coupling(
        dtype,
        4,
        { kind: 'columns', transformed: 'second', first: 1 },
        { kind: 'atan' },
        {
          hidden: [6, 6, 6],
          residual: true,
          contextFeatures: 2,
        },
      ),
  },
  {
    name: 'affine coupling, channels of four positions, context',
    features: 12,
    contextFeatures: 3,
    make: (dtype) =>
      coupling(
        dtype,
        3,
        { kind: 'columns', transformed: 'first', first: 1 },
        { kind: 'tanh' },
        {
          hidden: [5, 4],
          positions: 4,
          contextFeatures: 3,
        },
      ),
  },
  {
    name: 'affine coupling, checkerboard, context',
    features: 8,
    contextFeatures: 1,
    make: (dtype) =>
      coupling(
        dtype,
        2,
        { kind: 'checkerboard', image: { height: 2, width: 2 }, parity: 1 },
        { kind: 'sigmoid' },
        { positions: 4, contextFeatures: 1 },
      ),
  },
];

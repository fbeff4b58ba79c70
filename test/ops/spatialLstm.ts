import { type SpatialDirection, spatialLstm } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import * as reference from '../reference/spatialLstm';

const taps = { down: 3, right: 2, left: 2 } as const;

interface Sizes {
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly hidden: number;
  readonly direction: SpatialDirection;
}

function scan({ images, height, width, hidden, direction }: Sizes): OpCase {
  const rows = images * height * width;
  return {
    name: `${direction}, ${images} of ${height} × ${width}, ${hidden} states`,
    inputs: [
      { shape: [rows, 4 * hidden] },
      { shape: [4 * hidden, taps[direction] * hidden], values: (draw, n) => draw(n, 0.5) },
    ],
    run: (gates, weight) => spatialLstm(gates, weight, { height, width, direction }),
    expected: (gates, weight) => ({
      shape: [rows, hidden],
      values: reference.spatialLstm(gates, weight, height, width, direction),
    }),
    // A state is made of states before it, each with the rounding of sums of some products.
    units: 16 * (height + width),
    gradientUnits: 256,
    second: 'unsupported',
  };
}

const cases: OpCase[] = [
  ...(['down', 'right', 'left'] as const).flatMap((direction) => [
    scan({ images: 1, height: 1, width: 1, hidden: 1, direction }),
    scan({ images: 2, height: 3, width: 4, hidden: 2, direction }),
    scan({ images: 1, height: 4, width: 2, hidden: 5, direction }),
  ]),
  // More images than a task takes, states beyond a register.
  scan({ images: 9, height: 2, width: 3, hidden: 17, direction: 'right' }),
];

export const contract: OpContract = {
  module: 'spatialLstm',
  native: ['spatial_lstm', 'spatial_lstm_grad'],
  cases,
  errors: [
    {
      name: 'rows that are no whole images',
      run: () => spatialLstm(f32([7, 8]), f32([8, 4]), { height: 2, width: 3, direction: 'right' }),
      code: 'SHAPE',
      says: /\[spatialLstm\] gates: expected shape \[images·2·3, channels\], got \[7, 8\]/,
    },
    {
      name: 'a weight of three taps for a diagonal',
      run: () => spatialLstm(f32([6, 8]), f32([8, 6]), { height: 2, width: 3, direction: 'left' }),
      code: 'SHAPE',
      says: /\[spatialLstm\] weight: expected shape \[8, 4\], got \[8, 6\]/,
    },
    {
      name: 'an unknown direction',
      run: () =>
        spatialLstm(f32([6, 8]), f32([8, 4]), {
          height: 2,
          width: 3,
          direction: 'up' as SpatialDirection,
        }),
      code: 'ARGUMENT',
      says: /\[spatialLstm\] direction: expected down, right or left, got up/,
    },
  ],
};

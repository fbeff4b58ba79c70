import { channelAffine, channelAffineInverse } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { oddSizes } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';

interface Size {
  readonly samples: number;
  readonly positions: number;
  readonly channels: number;
}

/** Few channels, whose rows are joined, and rows that cannot be; one sample; many rows in several blocks. */
const sizes: readonly Size[] = [
  ...oddSizes.map((channels, i) => ({ samples: 3, positions: [1, 4, 6][i % 3]!, channels })),
  { samples: 1, positions: 1, channels: 12 },
  { samples: 5, positions: 64, channels: 12 },
  { samples: 128, positions: 16, channels: 6 },
  { samples: 129, positions: 7, channels: 3 },
];

function reference(
  x: Float64Array,
  logScale: Float64Array,
  shift: Float64Array,
  { samples, positions, channels }: Size,
  inverse: boolean,
) {
  const total = positions * logScale.reduce((sum, s) => sum + s, 0);
  return [
    {
      shape: [samples * positions, channels],
      values: x.map((value, i) => {
        const [s, b] = [logScale[i % channels]!, shift[i % channels]!];
        return inverse ? (value - b) * Math.exp(-s) : value * Math.exp(s) + b;
      }),
    },
    {
      shape: [samples],
      values: new Float64Array(samples).fill(inverse ? -total : total),
      dtype: 'float64' as const,
    },
  ];
}

const cases = sizes.flatMap((size): OpCase[] => {
  const { samples, positions, channels } = size;
  const label = `${samples} samples of ${positions} × ${channels}`;
  const vector = { shape: [channels] };
  return [false, true].map((inverse) => ({
    name: `${inverse ? 'inverse, ' : ''}${label}`,
    inputs: [{ shape: [samples * positions, channels] }, vector, vector],
    run: (x, logScale, shift) => {
      const map = inverse ? channelAffineInverse : channelAffine;
      const { y, logDet } = map(x, logScale, shift, positions);
      return [y, logDet];
    },
    expected: (x, logScale, shift) => reference(x, logScale, shift, size, inverse),
    // exp and two roundings; those of exp(2) count for the largest element.
    units: 6,
    // Sums of up to 2048 rows, magnified by e² twice on the way back.
    gradientUnits: 512,
    // Joined rows are summed in another order: up to 2048 terms, so √2048 roundings.
    strided: 45,
  }));
});

export const contract: OpContract = {
  module: 'channelAffine',
  native: ['channel_affine', 'channel_affine_grad'],
  cases,
  errors: [
    {
      name: 'rows that are no samples',
      run: () => channelAffine(f32([6, 3]), f32([3]), f32([3]), 4),
      code: 'SHAPE',
      says: /\[channelAffine\] x: expected rows that are samples of 4 positions, got \[6, 3\]/,
    },
    {
      name: 'logScale of another width',
      run: () => channelAffine(f32([6, 3]), f32([2]), f32([3])),
      code: 'SHAPE',
      says: /\[channelAffine\] logScale: expected shape \[3\], got \[2\]/,
    },
    {
      name: 'integers',
      run: () => channelAffine(ofType([6, 3], 'uint8'), f32([3]), f32([3])),
      code: 'DTYPE',
      says: /\[channelAffine\] x: expected float32 or float64, got uint8/,
    },
  ],
};

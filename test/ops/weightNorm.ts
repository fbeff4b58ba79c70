import { weightNorm } from '../../lib/ops';
import { notNearZero, type OpContract, oddSizes } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';

export const contract: OpContract = {
  module: 'weightNorm',
  native: [],
  // Not of one column: a direction of one number has no derivative to compare with.
  cases: oddSizes.slice(1).map((inputs) => ({
    name: `3 × ${inputs}`,
    inputs: [{ shape: [3, inputs], values: notNearZero }, { shape: [3] }],
    run: (v, gain) => weightNorm(v!, gain!),
    expected: (v, gain) => {
      const lengths = [0, 1, 2].map((o) =>
        Math.hypot(...v!.subarray(o * inputs, (o + 1) * inputs)),
      );
      return {
        shape: [3, inputs],
        values: v!.map((value, i) => {
          const o = Math.floor(i / inputs);
          return (gain![o]! * value) / lengths[o]!;
        }),
      };
    },
    // A sum in float64, then a root, a quotient and a product.
    units: 4,
    gradientUnits: 64 + inputs,
  })),
  errors: [
    {
      name: 'gain',
      run: () => weightNorm(f32([2, 3]), f32([3])),
      code: 'SHAPE',
      says: /\[weightNorm\] gain: expected shape \[2\], got \[3\]/,
    },
    {
      name: 'types',
      run: () => weightNorm(f32([2, 3]), ofType([2], 'float64')),
      code: 'DTYPE',
      says: /\[weightNorm\] gain: expected float32, got float64/,
    },
    {
      name: 'integers',
      run: () => weightNorm(ofType([2, 3], 'int32'), f32([2])),
      code: 'DTYPE',
      says: /\[weightNorm\] v: expected float32 or float64/,
    },
  ],
};

import { bernoulliLogProb, logisticLogProb, normalLogProb } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { oddSizes, unitInterval } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import * as reference from '../reference/distributions';

function cases(): OpCase[] {
  const result: OpCase[] = [];
  for (const cols of oddSizes) {
    const shape = [3, cols];
    const zeros = new Float64Array(cols);
    result.push(
      {
        name: `normal, 3 × ${cols}`,
        inputs: [{ shape }],
        run: normalLogProb,
        expected: (z) => ({
          shape: [3],
          values: reference.standardNormalLogProb(z, 3),
          dtype: 'float64',
        }),
        // Both are plain sums of up to 1023 terms of one sign.
        units: 32,
      },
      {
        name: `logistic, 3 × ${cols}`,
        inputs: [{ shape }],
        run: logisticLogProb,
        expected: (z) => ({
          shape: [3],
          values: reference.logisticLogProb(z, 3, zeros, zeros),
          dtype: 'float64',
        }),
        units: 32,
      },
      {
        name: `Bernoulli, 3 × ${cols}`,
        inputs: [{ shape }, { shape, values: unitInterval }],
        run: bernoulliLogProb,
        expected: (logits, x) => ({
          shape: [3],
          values: reference.bernoulliLogProb(x, 3, logits),
          dtype: 'float64',
        }),
        units: 32,
      },
    );
  }
  result.push(
    {
      // The sum is taken in float64, also of float32: nothing is lost over many channels.
      name: 'normal, float32 of float64 accuracy',
      inputs: [{ shape: [5, 4099] }],
      run: normalLogProb,
      expected: (z) => ({
        shape: [5],
        values: reference.standardNormalLogProb(z, 5),
        dtype: 'float64',
      }),
      // 32 eps of float64.
      units: 32 * 2 ** -29,
      dtypes: ['float32'],
    },
    {
      name: 'far out',
      inputs: [
        { shape: [4, 1], values: () => [-800, 800, -1e4, 1e4] },
        { shape: [4, 1], values: () => [1, 0, 0, 1] },
      ],
      run: (z, x) => [logisticLogProb(z), bernoulliLogProb(z, x), normalLogProb(z)],
      expected: (z) => [
        { shape: [4], values: z.map((v) => -Math.abs(v)), dtype: 'float64' },
        { shape: [4], values: [-800, -800, 0, 0], dtype: 'float64' },
        {
          shape: [4],
          values: z.map((v) => -0.5 * v * v - 0.5 * Math.log(2 * Math.PI)),
          dtype: 'float64',
        },
      ],
      gradient: false,
    },
    {
      name: 'one vector is one sample',
      inputs: [{ shape: [9] }],
      run: normalLogProb,
      expected: (z) => ({
        shape: [],
        values: reference.standardNormalLogProb(z, 1),
        dtype: 'float64',
      }),
      units: 32,
    },
  );
  return result;
}

export const contract: OpContract = {
  module: 'logProb',
  native: ['log_prob', 'log_prob_grad'],
  cases: cases(),
  errors: [
    {
      name: 'integers',
      run: () => normalLogProb(ofType([3, 2], 'int32')),
      code: 'DTYPE',
      says: /\[normalLogProb\] z: expected float32 or float64, got int32/,
    },
    {
      name: 'x of another shape',
      run: () => bernoulliLogProb(f32([3, 2]), f32([3, 3])),
      code: 'SHAPE',
      says: /\[bernoulliLogProb\] x: expected shape \[3, 2\], got \[3, 3\]/,
    },
    {
      name: 'bytes as x',
      run: () => bernoulliLogProb(f32([3, 2]), ofType([3, 2], 'uint8')),
      code: 'DTYPE',
      says: /\[bernoulliLogProb\] x: expected float32, got uint8/,
    },
  ],
};

import { batchNormFixed, batchNormTrain, columnMoments } from '../../lib/ops';
import type { Expected, OpCase, OpContract } from '../contract/opCase';
import { oddSizes, positive } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import * as reference from '../reference/batchNorm';

const eps = 1e-3;

function cases(): OpCase[] {
  const result: OpCase[] = [];
  oddSizes.forEach((size, i) => {
    // Wide and short, narrow and long in turn.
    const [rows, cols] = i % 2 === 0 ? [7, size] : [size + 2, 3];
    const inputs = [{ shape: [rows, cols] }, { shape: [cols] }, { shape: [cols] }];
    const normalized = (
      x: Float64Array,
      logGamma: Float64Array,
      beta: Float64Array,
      moments: reference.ColumnStatistics,
    ): Expected[] => {
      const { y, logDet } = reference.batchNormForward(x, rows, logGamma, beta, moments, eps);
      return [
        { shape: [rows, cols], values: y },
        { shape: [], values: [logDet[0]!], dtype: 'float64' },
      ];
    };
    result.push(
      {
        name: `training, ${rows} × ${cols}`,
        inputs,
        run: (x, logGamma, beta) => {
          const { y, logDet } = batchNormTrain(x, logGamma, beta, eps);
          return [y, logDet];
        },
        expected: (x, logGamma, beta) =>
          normalized(x, logGamma, beta, reference.columnStatistics(x, rows)),
        // Mean, difference, product: a few roundings, magnified by exp(logGamma)/√v.
        units: 16,
        gradientUnits: 256,
        second: 'unsupported',
      },
      {
        name: `fixed moments, ${rows} × ${cols}`,
        inputs: [
          ...inputs,
          { shape: [cols], dtype: 'float64', constant: true },
          { shape: [cols], dtype: 'float64', constant: true, values: positive },
        ],
        run: (x, logGamma, beta, mean, variance) => {
          const { y, logDet } = batchNormFixed(x, { mean, variance }, logGamma, beta, eps);
          return [y, logDet];
        },
        expected: (x, logGamma, beta, mean, variance) =>
          normalized(x, logGamma, beta, { mean, variance }),
        units: 16,
        gradientUnits: 256,
        second: 'unsupported',
      },
      {
        // A mean 1000 times the spread: the squares of a one-pass formula would lose six digits.
        name: `moments far from 0, ${rows} × ${cols}`,
        inputs: [
          {
            shape: [rows, cols],
            constant: true,
            values: (draw, length) => draw(length).map((x, k) => x + 1000 * (1 + (k % cols))),
          },
        ],
        run: (x) => {
          const { mean, variance } = columnMoments(x);
          return [mean, variance];
        },
        expected: (x) => {
          const { mean, variance } = reference.columnStatistics(x, rows);
          return [
            { shape: [cols], values: mean, dtype: 'float64' },
            { shape: [cols], values: variance, dtype: 'float64' },
          ];
        },
        // The reference's mean is a plain sum of up to 1025 numbers of 10⁶.
        units: 2 ** 16,
        dtypes: ['float64'],
      },
    );
  });
  return result;
}

export const contract: OpContract = {
  module: 'batchNorm',
  native: ['batch_norm', 'batch_norm_grad', 'column_moments'],
  cases: cases(),
  errors: [
    {
      name: 'no rows',
      run: () => columnMoments(f32([0, 3])),
      code: 'SHAPE',
      says: /\[columnMoments\] x: expected at least one row, got \[0, 3\]/,
    },
    {
      name: 'logGamma of another width',
      run: () => batchNormTrain(f32([4, 3]), f32([2]), f32([3]), eps),
      code: 'SHAPE',
      says: /\[batchNorm\] logGamma: expected shape \[3\], got \[2\]/,
    },
    {
      name: 'beta of another type',
      run: () => batchNormTrain(f32([4, 3]), f32([3]), ofType([3], 'float64'), eps),
      code: 'DTYPE',
      says: /\[batchNorm\] beta: expected float32, got float64/,
    },
    {
      name: 'moments in float32',
      run: () =>
        batchNormFixed(
          f32([4, 3]),
          { mean: f32([3]), variance: f32([3]) },
          f32([3]),
          f32([3]),
          eps,
        ),
      code: 'DTYPE',
      says: /\[batchNorm\] mean: expected float64, got float32/,
    },
  ],
};

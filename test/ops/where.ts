import { where } from '../../lib/ops';
import type { OpCase, OpContract, Values } from '../contract/opCase';
import { oddSizes } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';

const bits: Values = (draw, length) => draw(length).map((x) => (x > 0 ? 1 : 0));

function cases(): OpCase[] {
  const result: OpCase[] = [];
  for (const cols of oddSizes) {
    const shape = [3, cols];
    result.push(
      {
        name: `bytes choose, 3 × ${cols}`,
        inputs: [{ shape, dtype: 'uint8', values: bits }, { shape }, { shape }],
        run: where,
        expected: (m, a, b) => ({ shape, values: m.map((bit, i) => (bit ? a[i]! : b[i]!)) }),
        units: 0,
      },
      {
        name: `a row of floats chooses between a column and a number, 3 × ${cols}`,
        inputs: [{ shape: [cols], values: bits, constant: true }, { shape: [3, 1] }, { shape: [] }],
        run: where,
        expected: (m, a, b) => ({
          shape,
          values: Float64Array.from({ length: 3 * cols }, (_, i) =>
            m[i % cols] ? a[Math.floor(i / cols)]! : b[0]!,
          ),
        }),
        units: 0,
      },
    );
  }
  result.push({
    name: 'what is not taken may be NaN or infinite',
    inputs: [
      { shape: [4], dtype: 'uint8', values: () => [1, 0, 1, 0] },
      { shape: [4], values: () => [1.5, NaN, -2, Infinity] },
      { shape: [4], values: () => [NaN, 0.5, -Infinity, 3] },
    ],
    run: where,
    expected: () => ({ shape: [4], values: [1.5, 0.5, -2, 3] }),
    gradient: false,
  });
  return result;
}

export const contract: OpContract = {
  module: 'where',
  native: ['where'],
  cases: cases(),
  errors: [
    {
      name: 'shapes that do not fit',
      run: () => where(ofType([3, 4], 'uint8'), f32([3, 4]), f32([2, 4])),
      code: 'SHAPE',
      says: /\[where\] mask, a and b: expected .*, got \[3, 4\], \[3, 4\], \[2, 4\]/,
    },
    {
      name: 'a mask of integers',
      run: () => where(ofType([3], 'int32'), f32([3]), f32([3])),
      code: 'DTYPE',
      says: /\[where\] mask: expected float32, got int32/,
    },
    {
      name: 'two types',
      run: () => where(ofType([3], 'uint8'), f32([3]), ofType([3], 'float64')),
      code: 'DTYPE',
      says: /\[where\] b: expected float32, got float64/,
    },
  ],
};

import { householder } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';

/** One reflection after the other, from the definition. */
function reflected(x: Float64Array, v: Float64Array, c: number, reverse: boolean): Float64Array {
  const y = x.slice();
  const count = v.length / c;
  for (let r = 0; r < y.length; r += c) {
    for (let i = 0; i < count; i++) {
      const k = (reverse ? count - 1 - i : i) * c;
      let [product, length] = [0, 0];
      for (let j = 0; j < c; j++) {
        product += y[r + j]! * v[k + j]!;
        length += v[k + j]! ** 2;
      }
      for (let j = 0; j < c; j++) y[r + j]! -= (2 * product * v[k + j]!) / length;
    }
  }
  return y;
}

const cases = [
  [1, 1, 1],
  [3, 5, 2],
  [4, 8, 8],
  [7, 9, 3],
  [17, 16, 16],
  [33, 17, 5],
  [5, 40, 40],
] as const;

export const contract: OpContract = {
  module: 'householder',
  native: [],
  cases: cases.flatMap(([n, c, k]) =>
    [false, true].map(
      (reverse): OpCase => ({
        name: `${n} × ${c}, ${k} reflections${reverse ? ', reversed' : ''}`,
        inputs: [{ shape: [n, c] }, { shape: [k, c] }],
        run: (x, v) => householder(x!, v!, { reverse }),
        expected: (x, v) => ({ shape: [n, c], values: reflected(x!, v!, c, reverse) }),
        // Sums of c products for each reflection; lengths are kept, so errors add.
        units: 32 + 4 * (c + k),
        gradientUnits: 256 + 16 * (c + k),
        second: 'unsupported',
        // In one dimension the reflection is −1 whatever v.
        gradient: c > 1,
      }),
    ),
  ),
  errors: [
    {
      name: 'width',
      run: () => householder(f32([2, 3]), f32([2, 4])),
      code: 'SHAPE',
      says: /\[householder\] v: expected shape \[K, 3\] for x \[2, 3\], got \[2, 4\]/,
    },
    {
      name: 'types',
      run: () => householder(f32([2, 3]), ofType([2, 3], 'float64')),
      code: 'DTYPE',
      says: /\[householder\] v: expected float32, got float64/,
    },
  ],
};

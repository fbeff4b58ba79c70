import { blockMatmul } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';

const row = (rows: number, count: number, k: number, m: number, transpose: boolean): OpCase => ({
  name: `${rows} × ${count} blocks of ${k} × ${m}${transpose ? ', transposed' : ''}`,
  inputs: [
    { shape: [rows, count * k] },
    { shape: transpose ? [count * m, k] : [count * k, m], constant: true },
  ],
  run: (x, blocks) => blockMatmul(x!, blocks!, count, { transpose }),
  expected: (x, blocks) => ({
    shape: [rows, count * m],
    values: Array.from({ length: rows * count * m }, (_, i) => {
      const [n, f, c] = [Math.floor(i / (count * m)), Math.floor(i / m) % count, i % m];
      let sum = 0;
      for (let j = 0; j < k; j++)
        sum +=
          x![(n * count + f) * k + j]! *
          blocks![transpose ? (f * m + c) * k + j : (f * k + j) * m + c]!;
      return sum;
    }),
  }),
  // Sums of k products.
  units: 8 + k,
});

export const contract: OpContract = {
  module: 'blockMatmul',
  native: ['block_matmul'],
  cases: [
    row(3, 5, 2, 4, false),
    row(3, 5, 4, 2, true),
    row(70, 9, 17, 17, false),
    row(70, 9, 17, 33, true),
    row(1, 1, 1, 1, false),
  ],
  errors: [
    {
      name: 'another depth',
      run: () => blockMatmul(f32([2, 6]), f32([9, 2]), 3),
      code: 'SHAPE',
      says: /\[blockMatmul\] blocks: expected shape \[F·K, M\] for x .* F = 3, got \[9, 2\]/,
    },
  ],
};

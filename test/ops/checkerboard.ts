import { checkerboard } from '../../lib/ops';
import type { OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';

const sizes = [
  [1, 1, 1, 1],
  [2, 2, 3, 5],
  [1, 3, 2, 17],
  [3, 5, 5, 2],
  [1, 9, 31, 33],
] as const;

export const contract: OpContract = {
  module: 'checkerboard',
  native: ['checkerboard'],
  cases: sizes.flatMap(([n, height, width, channels]) =>
    ([0, 1] as const).map((parity) => ({
      name: `${n} × ${height} × ${width} × ${channels}, parity ${parity}`,
      inputs: [{ shape: [n * height * width, channels] }],
      run: (x) => checkerboard(x!, { height, width }, parity),
      expected: (x) => ({
        shape: [n * height * width, channels],
        values: x!.map((value, i) => {
          const position = Math.floor(i / channels) % (height * width);
          return (Math.floor(position / width) + (position % width)) % 2 === parity ? 0 : value;
        }),
      }),
      units: 0,
    })),
  ),
  errors: [
    {
      name: 'rows',
      run: () => checkerboard(f32([7, 3]), { height: 2, width: 3 }, 0),
      code: 'SHAPE',
      says: /\[checkerboard\] x: expected rows \[N·2·3\], one a position, got 7/,
    },
    {
      name: 'parity',
      run: () => checkerboard(f32([6, 3]), { height: 2, width: 3 }, 2 as 0),
      code: 'ARGUMENT',
      says: /parity: expected 0 or 1, got 2/,
    },
  ],
};

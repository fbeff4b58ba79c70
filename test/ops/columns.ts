import { columns, concatColumns, mul, splitColumns } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { oddSizes } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';

function range(x: Float64Array, cols: number, start: number, end: number): Float64Array {
  return x.filter((_, i) => i % cols >= start && i % cols < end);
}

function cases(): OpCase[] {
  const result: OpCase[] = [];
  for (const width of oddSizes) {
    const cols = width + 4;
    result.push(
      {
        name: `columns 3 to ${3 + width} of 3 × ${cols}`,
        inputs: [{ shape: [3, cols] }],
        // A view goes on into kernels that step over the other columns.
        run: (x) => {
          const part = columns(x, 3, 3 + width);
          return mul(part, part);
        },
        expected: (x) => ({
          shape: [3, width],
          values: range(x, cols, 3, 3 + width).map((value) => value * value),
        }),
      },
      {
        name: `${width}, 2 and 5 columns beside each other`,
        inputs: [{ shape: [3, width] }, { shape: [3, 2] }, { shape: [3, 5] }],
        run: (...parts) => concatColumns(parts),
        expected: (...parts) => {
          const widths = [width, 2, 5];
          const rows = [0, 1, 2].map((r) =>
            parts.map((part, k) => [...part.slice(r * widths[k]!, (r + 1) * widths[k]!)]),
          );
          return { shape: [3, width + 7], values: rows.flat(2) };
        },
        units: 0,
      },
    );
  }
  result.push(
    {
      name: 'a range of a vector, and an empty one',
      inputs: [{ shape: [9] }],
      run: (x) => [columns(x, 2, 7), columns(x, 9, 9)],
      expected: (x) => [
        { shape: [5], values: x.slice(2, 7) },
        { shape: [0], values: [] },
      ],
      units: 0,
    },
    {
      name: 'all columns taken apart, one part not used',
      inputs: [{ shape: [3, 9] }],
      run: (x) => {
        const [a, , c] = splitColumns(x, [2, 3, 4]);
        return [mul(a!, a!), c!];
      },
      expected: (x) => [
        { shape: [3, 2], values: range(x, 9, 0, 2).map((value) => value * value) },
        { shape: [3, 4], values: range(x, 9, 5, 9) },
      ],
    },
    {
      name: 'channels of images',
      inputs: [{ shape: [2, 3, 3, 6] }],
      run: (x) => concatColumns([columns(x, 4, 6), columns(x, 0, 4)]),
      expected: (x) => ({
        shape: [2, 3, 3, 6],
        values: x.map((_, i) => x[i - (i % 6) + (((i % 6) + 4) % 6)]!),
      }),
      units: 0,
    },
  );
  return result;
}

export const contract: OpContract = {
  module: 'columns',
  native: ['embed_columns', 'concat_columns'],
  cases: cases(),
  errors: [
    {
      name: 'past the end',
      run: () => columns(f32([3, 4]), 2, 5),
      code: 'SHAPE',
      says: /\[columns\] range: expected 0 ≤ start ≤ end ≤ 4, the channels of \[3, 4\], got 2 to 5/,
    },
    {
      name: 'not whole',
      run: () => columns(f32([3, 4]), 0.5, 2),
      code: 'SHAPE',
      says: /got 0.5 to 2/,
    },
    {
      name: 'different rows',
      run: () => concatColumns([f32([3, 4]), f32([2, 4])]),
      code: 'SHAPE',
      says: /\[concatColumns\] parts: expected the axes \[3\] before the channels.*got \[2, 4\]/,
    },
    {
      name: 'different types',
      run: () => concatColumns([f32([3, 4]), ofType([3, 4], 'int32')]),
      code: 'DTYPE',
      says: /\[concatColumns\] parts: expected float32, got int32/,
    },
    {
      name: 'a part too few',
      run: () => splitColumns(f32([3, 4]), [1, 2]),
      code: 'SHAPE',
      says: /\[splitColumns\] widths: expected widths that add up to 4, the channels of \[3, 4\], got 3/,
    },
    {
      name: 'nothing',
      run: () => concatColumns([]),
      code: 'ARGUMENT',
      says: /\[concatColumns\] parts: expected at least one tensor, got none/,
    },
  ],
};

/** What the contract rows of the affine coupling's two directions share. */
import type { CouplingOptions, CouplingScale } from '../../lib/ops';
import type { Tensor } from '../../lib/tensor/tensor';
import type { OpCase } from '../contract/opCase';
import { oddSizes } from '../contract/opCase';

export const couplingScales: readonly CouplingScale[] = [
  { kind: 'additive' },
  { kind: 'exp' },
  { kind: 'tanh' },
  { kind: 'sigmoid' },
  { kind: 'doubleSigmoid' },
  { kind: 'atan', bound: 1.7 },
];

/** log s of raw, from the definition. */
function logOfScale(scale: CouplingScale, raw: number, gain: number): number {
  switch (scale.kind) {
    case 'additive':
      return 0;
    case 'exp':
      return raw;
    case 'tanh':
      return gain * Math.tanh(raw);
    case 'sigmoid':
      return -Math.log1p(Math.exp(-(raw + 2)));
    case 'doubleSigmoid':
      return Math.LN2 - Math.log1p(Math.exp(-raw));
    case 'atan':
      return scale.bound * (2 / Math.PI) * Math.atan(raw / scale.bound);
  }
}

interface Layout {
  readonly name: string;
  readonly scale: CouplingScale;
  readonly gain: boolean;
  /** N, P, C. */
  readonly size: readonly [number, number, number];
  readonly start: number;
  /** Transformed columns. */
  readonly count: number;
  readonly checkerboard?: { width: number; parity: 0 | 1 };
}

const layouts: readonly Layout[] = [
  // Every scale map, every odd width, behind 0, 1 or 2 columns and before as many.
  ...oddSizes.map((count, k): Layout => {
    const scale = couplingScales[k % couplingScales.length]!;
    const n = count > 100 ? 2 : 3;
    const [start, after] = [k % 3, (k + 1) % 3];
    return {
      name: `${scale.kind}, ${n} × ${count} columns from ${start}`,
      scale,
      gain: scale.kind === 'tanh' && k > 6,
      size: [n, 1, start + count + after],
      start,
      count,
    };
  }),
  ...couplingScales.map(
    (scale): Layout => ({
      name: `${scale.kind}, five positions`,
      scale,
      gain: scale.kind === 'tanh',
      size: [2, 5, 3],
      start: 1,
      count: 2,
    }),
  ),
  ...couplingScales.map(
    (scale, k): Layout => ({
      name: `${scale.kind}, checkerboard`,
      scale,
      gain: scale.kind === 'tanh',
      size: [2, 6, 2],
      start: 0,
      count: 2,
      checkerboard: { width: 3, parity: (k % 2) as 0 | 1 },
    }),
  ),
  // A sample that is cut into several tasks, and rows that are.
  {
    name: 'sigmoid, a large sample',
    scale: { kind: 'sigmoid' },
    gain: false,
    size: [2, 1200, 7],
    start: 2,
    count: 5,
  },
  {
    name: 'tanh with gain, many rows',
    scale: { kind: 'tanh' },
    gain: true,
    size: [701, 1, 5],
    start: 0,
    count: 3,
  },
  {
    name: 'atan, large checkerboard',
    scale: { kind: 'atan', bound: 2 },
    gain: false,
    size: [1, 33 * 35, 3],
    start: 0,
    count: 3,
    checkerboard: { width: 35, parity: 1 },
  },
];

export function couplingCases(
  inverse: boolean,
  run: (x: Tensor, params: Tensor, options: CouplingOptions) => readonly Tensor[],
): OpCase[] {
  return layouts.map((layout) => {
    const { name, scale, gain, size, start, count, checkerboard } = layout;
    const [n, positions, cols] = size;
    const each = scale.kind === 'additive' ? 1 : 2;
    const rows = n * positions;
    const transforms = (row: number, col: number) => {
      if (!checkerboard) return col >= start && col < start + count;
      const position = row % positions;
      const { width, parity } = checkerboard;
      return (Math.floor(position / width) + (position % width)) % 2 === parity;
    };
    return {
      name,
      inputs: [
        { shape: [rows, cols] },
        { shape: [rows, each * count] },
        ...(gain ? [{ shape: [count] }] : []),
      ],
      run: (x, params, gains) =>
        run(x!, params!, {
          scale,
          gain: gains ?? null,
          positions,
          start,
          checkerboard: checkerboard ?? null,
        }),
      expected: (x, params, gains) => {
        const logDet = new Float64Array(n);
        const values = x!.map((value, i) => {
          const [row, col] = [Math.floor(i / cols), i % cols];
          if (!transforms(row, col)) return value;
          const at = row * each * count + col - start;
          const raw = each === 2 ? params![at + count]! : 0;
          const a = logOfScale(scale, raw, gains?.[col - start] ?? 1);
          logDet[Math.floor(row / positions)]! += inverse ? -a : a;
          const shift = params![at]!;
          return inverse ? (value - shift) * Math.exp(-a) : value * Math.exp(a) + shift;
        });
        return [
          { shape: [rows, cols], values },
          { shape: [n], values: logDet, dtype: 'float64' },
        ];
      },
      // Two functions of 2 ulp each, and |log s| ≤ 4 multiplies the error of log s. The log-det sums up to 6000 terms, which
      // may cancel.
      units: 16 + Math.max(count, Math.sqrt(positions * count)),
      gradientUnits: 256,
      second: 'unsupported',
    };
  });
}

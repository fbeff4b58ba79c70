/** The geometries that the contract rows of the convolution ops go through. */
import type { ConvGeometry } from '../../lib/ops';
import type { Plan } from '../reference/conv2d';

export interface ConvCase {
  readonly name: string;
  readonly geometry: ConvGeometry;
  readonly plan: Plan;
}

const all = () => true;

function convCase(
  label: string,
  [images, height, width]: readonly [number, number, number],
  [inputs, outputs]: readonly [number, number],
  kernel: readonly [number, number],
  plan: Partial<Plan> = {},
  options: Partial<ConvGeometry> = {},
): ConvCase {
  return {
    name: `${label}: ${images} × ${height} × ${width}, ${inputs} → ${outputs}, kernel ${kernel.join(' × ')}`,
    geometry: { height, width, kernel, ...options },
    plan: {
      ...{ images, height, width, inputs, outputs, kernel },
      rowStep: (i) => i - (kernel[0] - 1) / 2,
      columnStep: (j) => j - (kernel[1] - 1) / 2,
      isLive: all,
      ...plan,
    },
  };
}

const three = [3, 3] as const;

export const convCases: readonly ConvCase[] = [
  // As many channels or more behind as before: gathered. Few behind: scattered (native/simd/conv.cc).
  convCase('wider', [2, 3, 4], [2, 5], three),
  convCase('narrower', [2, 3, 4], [5, 2], three),
  convCase('one channel', [3, 2, 2], [1, 1], three),
  convCase('registers', [1, 5, 6], [17, 33], three),
  convCase('few behind', [3, 4, 5], [35, 6], three),
  convCase('one pixel', [5, 1, 1], [4, 3], three),
  convCase('many images', [67, 2, 3], [3, 9], three),
  convCase('tasks', [70, 3, 3], [20, 3], three),
  // More pixels than a task of the scatter takes: bands, and rows that two of them compute.
  convCase('bands', [2, 47, 30], [4, 1], three),
  convCase('long rows', [1, 2, 1500], [4, 2], three),
  convCase('pieces', [3, 25, 30], [2, 3], three),
  convCase('1 × 1', [2, 3, 3], [4, 5], [1, 1]),
  convCase('no images', [0, 3, 3], [4, 5], three),
  convCase('5 × 1', [2, 6, 3], [3, 4], [5, 1]),
  convCase('larger than the image', [2, 2, 3], [6, 2], [7, 9]),
  convCase('even kernel', [2, 4, 5], [3, 4], [2, 4], {
    rowStep: (i) => i,
    columnStep: (j) => j - 1,
  }),
  convCase(
    'dilated',
    [2, 7, 6],
    [3, 4],
    three,
    {
      rowStep: (i) => 2 * (i - 1),
      columnStep: (j) => 3 * (j - 1),
    },
    { dilation: [2, 3] },
  ),
  convCase(
    'dilated, few behind',
    [2, 5, 4],
    [9, 2],
    three,
    {
      rowStep: (i) => 2 * (i - 1),
      columnStep: (j) => 2 * (j - 1),
    },
    { dilation: 2 },
  ),
  convCase(
    'causal in time',
    [2, 1, 23],
    [4, 6],
    [1, 3],
    {
      rowStep: () => 0,
      columnStep: (j) => 4 * (j - 2),
    },
    { dilation: [1, 4], padding: 'causal' },
  ),
  convCase(
    'causal rows',
    [2, 5, 4],
    [6, 3],
    three,
    {
      rowStep: (i) => i - 2,
    },
    { padding: ['causal', 'same'] },
  ),
  convCase(
    'mask A',
    [2, 4, 5],
    [3, 5],
    three,
    {
      isLive: (i, j) => i < 1 || (i === 1 && j < 1),
    },
    { taps: [0, 1, 2, 3] },
  ),
  convCase(
    'mask B, few behind',
    [2, 4, 5],
    [9, 3],
    [5, 3],
    {
      isLive: (i, j) => i < 2 || (i === 2 && j <= 1),
    },
    { taps: [0, 1, 2, 3, 4, 5, 6, 7] },
  ),
  convCase(
    'one live tap',
    [2, 4, 3],
    [4, 3],
    three,
    {
      isLive: (i, j) => i === 1 && j === 1,
    },
    { taps: [4] },
  ),
  convCase(
    'no live tap',
    [2, 2, 3],
    [4, 3],
    three,
    {
      isLive: () => false,
    },
    { taps: [] },
  ),
];

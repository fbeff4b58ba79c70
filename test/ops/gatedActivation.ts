import { gatedActivation } from '../../lib/ops';
import type { OpContract } from '../contract/opCase';
import { oddSizes } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';

export const contract: OpContract = {
  module: 'gatedActivation',
  native: ['gated_activation', 'gated_activation_grad'],
  cases: [
    ...oddSizes.filter((cols) => cols < 1000).map((cols) => [3, cols] as const),
    [700, 5] as const, // several tasks
  ].map(([rows, cols]) => ({
    name: `${rows} × ${cols}`,
    inputs: [{ shape: [rows, 2 * cols], values: (draw, length) => draw(length, 2) }],
    run: (x) => gatedActivation(x!),
    expected: (x) => ({
      shape: [rows, cols],
      values: Array.from({ length: rows * cols }, (_, i) => {
        const at = Math.floor(i / cols) * 2 * cols + (i % cols);
        return Math.tanh(x![at]!) / (1 + Math.exp(-x![at + cols]!));
      }),
    }),
    // Two functions of 2 ulp each and their product.
    units: 6,
    relativeTo: 'element',
  })),
  errors: [
    {
      name: 'an odd number of columns',
      run: () => gatedActivation(f32([2, 5])),
      code: 'SHAPE',
      says: /\[gatedActivation\] x: expected an even number of columns, \[a \| b\], got \[2, 5\]/,
    },
    {
      name: 'integers',
      run: () => gatedActivation(ofType([2, 4], 'int32')),
      code: 'DTYPE',
      says: /\[gatedActivation\] x: expected float32 or float64, got int32/,
    },
  ],
};

import { affineScalar } from '../../lib/ops';
import type { OpContract } from '../contract/opCase';
import { oddSizes } from '../contract/opCase';
import { ofType } from '../contract/opContract';

export const contract: OpContract = {
  module: 'affineScalar',
  native: ['affine_scalar'],
  cases: oddSizes.map((cols) => ({
    name: `3 × ${cols}`,
    inputs: [{ shape: [3, cols] }],
    run: (x) => affineScalar(x, -1.75, 0.3),
    expected: (x) => ({ shape: [3, cols], values: x.map((value) => -1.75 * value + 0.3) }),
    // The shift 0.3 is rounded to the type, then product and sum.
    units: 2,
  })),
  errors: [
    {
      name: 'integers',
      run: () => affineScalar(ofType([2, 2], 'int32'), 2),
      code: 'DTYPE',
      says: /\[affineScalar\] x: expected float32 or float64, got int32: convert it/,
    },
  ],
};

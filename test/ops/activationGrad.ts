import type { Activation } from '../../lib/ops';
import { activationGrad } from '../../lib/ops/activationGrad';
import type { Tensor } from '../../lib/tensor/tensor';
import type { OpCase, OpContract, Values } from '../contract/opCase';
import { oddSizes } from '../contract/opCase';
import { f32 } from '../contract/opContract';

/** act'(z) in terms of y = act(z), from the definitions; y stays in the range of act and away from kinks. */
const table: Record<
  Exclude<Activation, 'none'>,
  { slope: (y: number) => number; values: Values }
> = {
  relu: {
    slope: (y) => +(y > 0),
    values: (draw, length) => draw(length).map((v) => (v > 0 ? v + 0.2 : v - 0.2)),
  },
  leakyRelu: {
    slope: (y) => (y > 0 ? 1 : 0.01),
    values: (draw, length) => draw(length).map((v) => (v > 0 ? v + 0.2 : v - 0.2)),
  },
  tanh: { slope: (y) => 1 - y * y, values: (draw, length) => draw(length, 0.45) },
  sigmoid: {
    slope: (y) => y * (1 - y),
    values: (draw, length) => draw(length, 0.2).map((v) => v + 0.5),
  },
  elu: {
    slope: (y) => (y > 0 ? 1 : y + 1),
    values: (draw, length) => draw(length, 0.35).map((v) => (v > 0 ? v + 0.2 : v - 0.2)),
  },
  softplus: {
    slope: (y) => 1 - Math.exp(-y),
    values: (draw, length) => draw(length).map((v) => Math.abs(v) + 0.1),
  },
};

function columnSums(values: Float64Array, rows: number, cols: number): Float64Array {
  const sums = new Float64Array(cols);
  for (let i = 0; i < rows * cols; i++) sums[i % cols]! += values[i]!;
  return sums;
}

const both = { input: true, bias: true };

function cases(): OpCase[] {
  const names = Object.keys(table) as (keyof typeof table)[];
  const result: OpCase[] = oddSizes.flatMap((cols, k) => {
    const activation = names[k % names.length]!;
    const { slope, values } = table[activation];
    return [3, 70].map((rows) => ({
      name: `${activation}, ${rows} × ${cols}`,
      inputs: [{ shape: [rows, cols] }, { shape: [rows, cols], values }],
      run: (dy: Tensor, y: Tensor) => {
        const { dPre, dBias } = activationGrad(dy, y, activation, both);
        return [dPre as Tensor, dBias as Tensor];
      },
      expected: (dy: Float64Array, y: Float64Array) => {
        const dz = dy.map((d, i) => d * slope(y[i]!));
        return [
          { shape: [rows, cols], values: dz },
          { shape: [cols], values: columnSums(dz, rows, cols) },
        ];
      },
      // A sum of 32 in the type, relative to the largest.
      units: 32,
    }));
  });
  result.push({
    name: 'none: column sums only',
    inputs: [{ shape: [101, 19] }],
    run: (dy) => activationGrad(dy!, null, 'none', { input: false, bias: true }).dBias as Tensor,
    expected: (dy) => ({ shape: [19], values: columnSums(dy!, 101, 19) }),
    units: 32,
  });
  return result;
}

export const contract: OpContract = {
  module: 'activationGrad',
  native: ['activation_grad'],
  cases: cases(),
  errors: [
    {
      name: 'shape of y',
      run: () => activationGrad(f32([2, 3]), f32([2, 4]), 'tanh', both),
      code: 'NATIVE',
      says: /\[activation_grad\] y: expected 2 × 3, got 2 × 4/,
    },
  ],
};

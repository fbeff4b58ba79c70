import { activationSlope, type SmoothActivation } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';

const sigmoid = (t: number) => (t < 0 ? Math.exp(t) / (1 + Math.exp(t)) : 1 / (1 + Math.exp(-t)));

const formulas: Record<SmoothActivation, (z: number, beta: number) => [number, number]> = {
  lipSwish: (z, beta) => {
    const s = sigmoid(beta * z);
    return [(z * s) / 1.1, (s + beta * z * s * (1 - s)) / 1.1];
  },
  elu: (z) => (z > 0 ? [z, 1] : [Math.expm1(z), Math.exp(z)]),
  tanh: (z) => [Math.tanh(z), 1 - Math.tanh(z) ** 2],
  softplus: (z) => [z > 0 ? z + Math.log1p(Math.exp(-z)) : Math.log1p(Math.exp(z)), sigmoid(z)],
};

const row = (kind: SmoothActivation, rows: number, cols: number, scale = 1): OpCase => ({
  name: `${kind}, ${rows} × ${cols}${scale === 1 ? '' : `, within ±${2 * scale}`}`,
  inputs: [
    // The second derivative of elu jumps at 0.
    {
      shape: [rows, cols],
      values: (draw, n) => draw(n, scale).map((v) => v + Math.sign(v) * 0.05),
    },
    ...(kind === 'lipSwish' ? [{ shape: [1], values: () => [0.8] }] : []),
  ],
  run: (z, beta) => {
    const { y, slope } = activationSlope(z!, kind, beta ?? null);
    return [y, slope];
  },
  expected: (z, beta) =>
    [0, 1].map((k) => ({
      shape: [rows, cols],
      values: Array.from(z!, (value) => formulas[kind](value, beta?.[0] ?? 1)[k]!),
    })),
  // Functions of 2 ulp and a few products; exp(−βz) has |βz| eps.
  units: 8 + scale,
  second: 'unsupported',
});

export const contract: OpContract = {
  module: 'activationSlope',
  native: ['activation_slope', 'activation_slope_grad'],
  cases: [
    ...([1, 7, 16, 33] as const).map((cols) => row('lipSwish', 3, cols)),
    row('lipSwish', 130, 33),
    row('lipSwish', 3, 9, 50),
    ...(['elu', 'tanh', 'softplus'] as const).flatMap((kind) => [
      row(kind, 3, 5),
      row(kind, 70, 17),
    ]),
  ],
  errors: [
    {
      name: 'lipSwish without its factor',
      run: () => activationSlope(f32([2, 3]), 'lipSwish'),
      code: 'ARGUMENT',
      says: /\[activationSlope\] beta: expected one number, got none/,
    },
    {
      name: 'a factor too many',
      run: () => activationSlope(f32([2, 3]), 'elu', f32([1])),
      code: 'ARGUMENT',
      says: /\[activationSlope\] beta: expected none, got 1 numbers/,
    },
    {
      name: 'unknown kind',
      run: () => activationSlope(f32([2, 3]), 'relu' as 'elu'),
      code: 'ARGUMENT',
      says: /kind: expected one of lipSwish, elu, tanh, softplus, got relu/,
    },
  ],
};

/** Element by element: copies, functions of one and two numbers, activations and their slopes. */
import type { Operands } from './operands';

export function elementwise({
  add,
  n,
  d,
  f64,
  real,
  positive,
  out,
  out64,
  x,
  same,
}: Operands): void {
  add(
    'copy',
    () => [x()],
    () => [out64(n, d)],
  );
  add(
    'copy',
    () => [real([n, d], 400)],
    () => [{ shape: [n, d], dtype: 'uint8' }],
  );
  add('fill', () => [], same, 1.25);
  add('accumulate', () => [x(), x()], same);
  add('affine_scalar', () => [x()], same, 1.7, -0.3);
  for (let kind = 0; kind < 25; kind++) {
    const isOfPositive = [3, 4, 7, 8].includes(kind); // √, 1/x, log, log1p
    const argument = () => (isOfPositive ? positive([n, d]) : x());
    add('unary', () => [argument()], same, kind, -0.4, 0.6);
    add('unary_grad', () => [argument(), x()], same, kind, -0.4, 0.6);
  }
  for (let kind = 0; kind < 7; kind++) add('binary', () => [x(), x()], same, kind);
  add('binary', () => [real([1, d]), real([n, 1])], same, 2);
  add('gated_activation', () => [real([n, 2 * d])], same);
  add(
    'gated_activation_grad',
    () => [real([n, 2 * d]), x()],
    () => [out(n, 2 * d)],
  );
  for (let kind = 0; kind < 4; kind++) {
    const beta = () => (kind === 0 ? positive([1]) : null);
    add(
      'activation_slope',
      () => [x(), beta()],
      () => [out(n, d), out(n, d)],
      kind,
    );
    add(
      'activation_slope_grad',
      () => [x(), beta(), x(), x()],
      () => [out(n, d), kind === 0 ? out(1) : null],
      kind,
    );
  }
  add('expand', () => [f64([n, 1])], same, -0.5);
  add('where', () => [real([1, d]), x(), real([n, 1])], same);
}

/** Products of matrices and the layers of networks. */
import type { Operands } from './operands';

export function linear({ add, n, d, u, indices, staircase, real, out, x, same }: Operands): void {
  for (const [ta, tb] of [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ] as const)
    add(
      'matmul',
      () => [real(ta ? [d, n] : [n, d]), real(tb ? [u, d] : [d, u])],
      () => [out(n, u)],
      ta,
      tb,
    );
  const weight = () => real([u, d], 1 / Math.sqrt(d));
  for (let activation = 0; activation < 8; activation++) {
    add(
      'linear',
      () => [x(), weight(), real([u]), real([n, u])],
      () => [out(n, u)],
      activation,
      0.2,
    );
    add(
      'masked_linear',
      () => [x(), weight(), real([u]), null, indices(u, d + 1)],
      () => [out(n, u)],
      activation,
      0.2,
    );
    if (activation === 7) continue; // the derivative of gelu is no function of its output
    for (const order of [1, 2])
      add(
        'activation_grad',
        () => [x(), x()],
        () => [out(n, d), out(d)],
        activation,
        0.2,
        order,
        3,
      );
  }
  for (const masked of [false, true]) {
    const mask = (units: number, inputs: number) => (masked ? indices(units, inputs + 1) : null);
    add(
      'mlp',
      () => [
        ...[x(), real([n, u]), weight(), real([u]), mask(u, d)],
        ...[real([4, u], 1 / Math.sqrt(u)), null, mask(4, u)],
      ],
      () => [out(n, u), out(n, 4)],
      ...[2, 0],
    );
    add(
      'mlp_grad',
      () => [
        ...[real([n, 4]), x(), masked ? x() : null, weight(), mask(u, d)],
        ...[real([4, u], 1 / Math.sqrt(u)), mask(4, u), real([n, u], 0.4)],
      ],
      () => [out(n, d), out(n, u), out(u, d), out(u), out(4, u), null],
      ...[2, 0],
    );
  }
  add('masked_linear_grad_input', () => [real([n, u]), weight(), staircase(u, d)], same);
  add(
    'masked_linear_grad_weight',
    () => [real([n, u]), x(), staircase(u, d)],
    () => [out(u, d)],
  );
  for (const transpose of [0, 1])
    add(
      'block_matmul',
      () => [real([n, 3 * d]), transpose ? real([3 * 5, d]) : real([3 * d, 5])],
      () => [out(n, 15)],
      ...[3, transpose],
    );
}

/** Affine maps of flows: autoregressive, coupling, by column. */
import { tensorOfArray } from '../../../lib/tensor/tensor';
import type { Operands } from './operands';

export function affine({ add, n, d, draw, f64, real, out, out64, x }: Operands): void {
  for (let map = 0; map < 4; map++) {
    const params = () => real([n, 2 * d]);
    for (const suffix of ['', '_inverse']) {
      add(
        `autoregressive_affine${suffix}`,
        () => [x(), params()],
        () => [out(n, d), out64(n)],
        map,
        1.3,
      );
      const operands = () => [params(), x(), x(), f64([n])];
      add(
        `autoregressive_affine${suffix}_grad`,
        operands,
        () => [out(n, d), out(n, 2 * d)],
        map,
        1.3,
      );
    }
  }
  for (let map = 0; map < 6; map++) {
    const each = map === 0 ? 1 : 2;
    const gain = () => (map === 2 ? real([d]) : null);
    for (const suffix of ['', '_inverse']) {
      // Columns 2 … d + 1 of d + 3; and a checkerboard on one image of n lines.
      add(
        `affine_coupling${suffix}`,
        () => [real([n, d + 3]), real([n, each * d]), gain()],
        () => [out(n, d + 3), out64(n)],
        ...[map, 1.3, 2, 1, 0, 0],
      );
      add(
        `affine_coupling${suffix}`,
        () => [real([3 * n, d]), real([3 * n, each * d]), gain()],
        () => [out(3 * n, d), out64(1)],
        ...[map, 1.3, 0, 3 * n, 3, 1],
      );
      add(
        `affine_coupling${suffix}_grad`,
        () => [real([n, d + 3]), real([n, each * d]), gain(), real([n, d + 3]), f64([n])],
        () => [out(n, d + 3), out(n, each * d), map === 2 ? out(d) : null],
        ...[map, 1.3, 2, 1, 0, 0],
      );
      add(
        `affine_coupling${suffix}_grad`,
        () => [real([3 * n, d]), real([3 * n, each * d]), gain(), real([3 * n, d]), null],
        () => [out(3 * n, d), null, map === 2 ? out(d) : null],
        ...[map, 1.3, 0, 3 * n, 3, 1],
      );
    }
  }
  const moments = () => [
    f64([d]),
    tensorOfArray(
      draw(d).map((v) => v * v + 0.1),
      [d],
    ),
  ];
  add(
    'batch_norm',
    () => [x(), ...moments(), real([d]), real([d])],
    () => [out(n, d), out64(1)],
    1e-5,
  );
  for (const training of [0, 1]) {
    const operands = () => [x(), ...moments(), real([d]), x(), f64([1])];
    add('batch_norm_grad', operands, () => [out(n, d), out(d), out(d)], 1e-5, training);
  }
  for (const inverse of [0, 1]) {
    const operands = () => [x(), real([d]), real([d])];
    add('channel_affine', operands, () => [out(n, d), out64(n)], inverse, 1);
    add('channel_affine', operands, () => [out(n, d), out64(1)], inverse, n);
    const outputs = () => [out(n, d), out(d), out(d)];
    add('channel_affine_grad', () => [...operands(), x(), f64([n])], outputs, inverse, 1);
    add('channel_affine_grad', () => [...operands(), null, f64([1])], outputs, inverse, n);
    add('channel_affine_grad', () => [...operands(), x(), null], outputs, inverse, 1);
  }
}

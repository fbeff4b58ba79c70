/** Triangles, LU matrices, weights derived from parameters, inverses. */
import { tensorOfArray } from '../../../lib/tensor/tensor';
import type { Operands } from './operands';

export function linalg({
  add,
  n,
  d,
  u,
  f64,
  int32,
  real,
  out,
  out64,
  x,
  same,
  triangle,
}: Operands): void {
  for (let form = 0; form < 16; form++) {
    const flags = [form & 1, (form >> 1) & 1, (form >> 2) & 1, form >> 3];
    const sides = () => (flags[0] ? real([d, n]) : x());
    add(
      'triangular_solve',
      () => [triangle(d), sides()],
      () => [flags[0] ? out(d, n) : out(n, d)],
      ...flags,
    );
    add(
      'triangular_solve_grad',
      () => [sides(), sides()],
      () => [out(d, d)],
      ...flags,
    );
  }
  const ones = () =>
    real([d])
      .dataSync()
      .map((value) => (value < 0 ? -1 : 1));
  const parts = (rows: boolean) => [
    triangle(d),
    real([d], 0.4),
    tensorOfArray(ones(), [d]),
    rows ? int32(Array.from({ length: d }, (_, i) => d - 1 - i)) : null,
  ];
  for (let form = 0; form < 3; form++) {
    for (const op of ['lu_compose', 'lu_inverse']) {
      add(
        op,
        () => parts(form === 0),
        () => [out(d, d), null],
        form,
      );
    }
    add(
      'lu_compose_grad',
      () => [...parts(form !== 1), real([d, d]), null],
      () => [out(d, d), out(d)],
      form,
    );
    for (const method of [0, 1, 2]) {
      add('lu_solve', () => [x(), ...parts(form !== 2), real([d])], same, form, 0, method);
      add(
        'lu_solve',
        () => [null, ...parts(true), null],
        () => [out(d, d)],
        form,
        1,
        method,
      );
    }
  }
  const two = () => [...parts(true), ...parts(false)];
  const twice = <T>(...of: T[]): T[] => [...of, ...of];
  for (const op of ['lu_compose', 'lu_inverse'])
    add(op, two, () => twice(out(d, d), out64(1)), 0, 0);
  add(
    'lu_compose_grad',
    () => [...parts(true), real([d, d]), f64([1]), ...parts(false), real([d, d]), null],
    () => twice(out(d, d), out(d)),
    0,
    0,
  );
  // Two layers: one with a scale and a bias, one with a gain.
  const scaled = () => [x(), real([n]), real([n], 0.3), null];
  const normed = () => [real([u, d]), null, null, real([u])];
  add(
    'scale_weights',
    () => [...scaled(), ...normed()],
    () => [out(n, d), out(n), out(u, d), null],
    3,
  );
  add(
    'scale_weights_grad',
    () => [...scaled(), x(), real([n]), ...normed(), real([u, d]), null],
    () => [...[out(n, d), out(n), out(n), null], ...[out(u, d), null, null, out(u)]],
    3,
  );
  add(
    'scale_weights_grad',
    () => [x(), real([n]), real([n], 0.3), real([n]), x(), real([n])],
    () => [out(n, d), out(n), out(n), out(n)],
    0.5,
  );
  const scalars = [out64(1), out64(1)];
  add(
    'lu_factor',
    () => [triangle(d)],
    () => [out64(d, d), { shape: [d], dtype: 'int32' }, ...scalars],
  );
  add(
    'batch_inverse',
    () => [real([3 * d, d])],
    () => [null, out64(3)],
  );
}

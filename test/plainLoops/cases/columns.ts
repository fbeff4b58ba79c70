/** Sums over rows and columns, and rows and columns that move. */
import { execute } from '../../../lib/tensor/execute';
import type { Tensor } from '../../../lib/tensor/tensor';
import type { Operands } from './operands';

export function columns({ add, n, d, f64, indices, real, out, out64, x, same }: Operands): void {
  for (let kind = 0; kind < 4; kind++) {
    const factor = kind === 1 ? -1 : 1;
    [() => out(d), () => out64(n), () => out64(1)].forEach((result, axis) => {
      add(
        'reduce',
        () => [x()],
        () => [result()],
        ...[kind, axis, factor],
      );
    });
  }
  for (const kind of [2, 3]) {
    for (const [axis, size] of [d, n, 1].entries()) {
      // The results of `reduce`, so that exp(x − y) is what a gradient sees.
      const operands = () => {
        const own = x();
        const [y] = execute('reduce', [own], [out64(size)], [kind, axis, 1]);
        return [own, y as Tensor, f64([size])];
      };
      add('reduce_grad', operands, same, kind, axis);
    }
  }
  add(
    'gather_rows',
    () => [x(), indices(n + 5, n)],
    () => [out(n + 5, d)],
    0.3,
    1.5,
  );
  add(
    'scatter_rows',
    () => [x(), indices(n, 7)],
    () => [out(7, d)],
  );
  add(
    'gather_columns',
    () => [x(), indices(d + 2, d)],
    () => [out(n, d + 2)],
  );
  add(
    'scatter_columns',
    () => [x(), indices(d, 5)],
    () => [out(n, 5)],
  );
  add(
    'embed_columns',
    () => [x()],
    () => [out(n, d + 4)],
    3,
  );
  add(
    'concat_columns',
    () => [x(), real([n, 2]), x()],
    () => [out(n, 2 * d + 2)],
  );
  add(
    'checkerboard',
    () => [real([6 * n, d])],
    () => [out(6 * n, d)],
    ...[6, 3, 1],
  );
  add(
    'column_moments',
    () => [x()],
    () => [out64(d), out64(d)],
  );
  for (const back of [0, 1]) {
    const image = () => real([n, 8 * d]);
    add(
      'squeeze',
      () => [image()],
      () => [out(n, 8 * d)],
      2,
      4,
      d,
      back,
    );
  }
}

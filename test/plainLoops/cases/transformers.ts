/** Splines and Sylvester flows. */
import { tensorOfArray } from '../../../lib/tensor/tensor';
import type { Operands } from './operands';

export function transformers({ add, dtype, n, d, draw, f64, real, out, out64 }: Operands): void {
  // Kind, tails, bins and the numbers that a feature takes.
  const splines = [
    [0, 0, 4, 11],
    [0, 1, 2, 7],
    [0, 2, 3, 9],
    [1, 0, 3, 5],
    [1, 2, 2, 4],
    [2, 0, 4, 4],
    [3, 0, 3, 6],
    [3, 1, 2, 6],
  ] as const;
  for (const [kind, tails, bins, count] of splines) {
    for (const inverse of [0, 1]) {
      const attributes = [kind, tails, bins, -1.5, 1.5, 1e-3, 1e-3, 1e-3, inverse];
      // A cubic of wilder numbers is nearly flat somewhere, where no two roots agree.
      const scale = kind === 3 ? 0.4 : 1;
      const sides = () => [real([n, d]), real([bins % 2 ? n : 1, d * count], scale)];
      add('spline', sides, () => [out(n, d), out64(n)], ...attributes);
      add(
        'spline_grad',
        () => [...sides(), real([n, d]), f64([n])],
        () => [out(n, d), out(n, d * count)],
        ...attributes,
      );
    }
  }
  // Triangles of few rows: an inverse passes the error of a root on to all rows before it.
  for (const m of [1, 5]) {
    const count = m * m + 3 * m;
    // Diagonals r and s, one after another, within ±0.9.
    const triangles = (rows: number) => {
      const values = draw(rows * count, 0.3).map((value, i) =>
        i % count < m * m || i % count >= m * m + 2 * m ? value : 0.9 * Math.tanh(2 * value),
      );
      return tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, [rows, count]);
    };
    for (const rows of [1, n]) {
      const sides = () => [real([n, m]), triangles(rows)];
      add('sylvester', sides, () => [out(n, m), out64(n)], 0);
      add('sylvester', sides, () => [out(n, m), out64(n), null, null, null], 1);
      for (const inverse of [0, 1])
        add(
          'sylvester_grad',
          () => [...sides(), real([n, m]), f64([n])],
          () => [out(n, m), out(n, count)],
          inverse,
        );
    }
  }
}

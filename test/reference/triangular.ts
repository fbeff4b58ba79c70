/** Triangular systems by substitution, float64. */

export interface TriangularForm {
  readonly side: 'left' | 'right';
  readonly lower: boolean;
  readonly transpose: boolean;
  readonly unitDiagonal: boolean;
}

/** Entry (r, c) of op(T), with the zeros and ones that are not stored. */
function entryOf(t: ArrayLike<number>, n: number, form: TriangularForm, r: number, c: number) {
  const [i, j] = form.transpose ? [c, r] : [r, c];
  if (i === j) return form.unitDiagonal ? 1 : t[i * n + j]!;
  return (form.lower ? i > j : i < j) ? t[i * n + j]! : 0;
}

/** X of X·op(T) = B, B [m, n], or of op(T)·X = B, B [n, m]. */
export function triangularSolve(
  t: ArrayLike<number>,
  b: ArrayLike<number>,
  n: number,
  m: number,
  form: TriangularForm,
): Float64Array {
  const x = new Float64Array(n * m);
  const left = form.side === 'left';
  const at = (side: number, j: number) => (left ? j * m + side : side * n + j);
  // Equation j: Σ_k a(j, k)·x_k = b_j.
  const a = (j: number, k: number) =>
    left ? entryOf(t, n, form, j, k) : entryOf(t, n, form, k, j);
  const forward = (form.lower !== form.transpose) === left;
  for (let side = 0; side < m; side++) {
    for (let i = 0; i < n; i++) {
      const j = forward ? i : n - 1 - i;
      let sum = b[at(side, j)]!;
      for (let k = forward ? 0 : j + 1; k < (forward ? j : n); k++)
        sum -= a(j, k) * x[at(side, k)]!;
      x[at(side, j)] = sum / a(j, j);
    }
  }
  return x;
}

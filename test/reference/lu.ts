/** A matrix of its triangles and the solution of its equations, by plain loops in float64. */
import { solve } from './linalg';

export interface LuArrays {
  readonly form: 'lu' | 'lower' | 'upper';
  /** [C, C]: U above the diagonal, L below it. */
  readonly factors: ArrayLike<number>;
  readonly logScale: ArrayLike<number>;
  readonly sign: ArrayLike<number>;
  readonly rows: readonly number[] | null;
}

/** W = P·L·(U + diag(s)), or the triangle with its diagonal. */
export function compose({ form, factors, logScale, sign, rows }: LuArrays): Float64Array {
  const n = logScale.length;
  const s = (i: number) => sign[i]! * Math.exp(logScale[i]!);
  const inside = (i: number, j: number, below: boolean) => (below ? i > j : i < j);
  const lower = (i: number, j: number) =>
    i === j ? 1 : inside(i, j, true) ? factors[i * n + j]! : 0;
  const upper = (i: number, j: number) =>
    i === j ? s(i) : inside(i, j, false) ? factors[i * n + j]! : 0;
  const w = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let value = 0;
      if (form === 'lu') for (let k = 0; k < n; k++) value += lower(i, k) * upper(k, j);
      else if (form === 'upper') value = upper(i, j);
      else value = i === j ? s(i) : lower(i, j);
      w[(rows ? rows[i]! : i) * n + j] = value;
    }
  }
  return w;
}

/** Rows x of W·x = y − bias, or of Wᵀ·x = y. */
export function solveRows(
  arrays: LuArrays,
  y: Float64Array,
  bias: ArrayLike<number> | null,
  transpose: boolean,
): Float64Array {
  const n = arrays.logScale.length;
  const w = compose(arrays);
  const matrix = transpose ? w.map((_, i) => w[(i % n) * n + Math.floor(i / n)]!) : w;
  const x = new Float64Array(y.length);
  for (let r = 0; r < y.length / n; r++) {
    const right = y.slice(r * n, (r + 1) * n).map((value, c) => value - (bias ? bias[c]! : 0));
    x.set(solve(matrix, right, n), r * n);
  }
  return x;
}

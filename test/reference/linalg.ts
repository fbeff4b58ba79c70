/** Determinant, solution and inverse by LU with partial pivoting (Golub and Van Loan, algorithm 3.4.1), float64. */

/** P·A = L·U, packed in one array [D, D]: U on and above the diagonal, L below it (its diagonal is 1). */
export interface Lu {
  readonly lu: Float64Array;
  /** Row k of P·A is row pivots[k] of A. */
  readonly pivots: number[];
  /** det P, 1 or −1. */
  readonly parity: 1 | -1;
}

/** LU decomposition of a [D, D]. A singular matrix gives a zero on the diagonal of U. */
export function luDecompose(a: ArrayLike<number>, size: number): Lu {
  const lu = Float64Array.from(a);
  const pivots = Array.from({ length: size }, (_, i) => i);
  let parity: 1 | -1 = 1;
  for (let k = 0; k < size; k++) {
    let best = k;
    for (let i = k + 1; i < size; i++) {
      if (Math.abs(lu[i * size + k]!) > Math.abs(lu[best * size + k]!)) best = i;
    }
    if (best !== k) {
      for (let j = 0; j < size; j++) {
        const keep = lu[k * size + j]!;
        lu[k * size + j] = lu[best * size + j]!;
        lu[best * size + j] = keep;
      }
      [pivots[k], pivots[best]] = [pivots[best]!, pivots[k]!];
      parity = parity === 1 ? -1 : 1;
    }
    if (lu[k * size + k] === 0) continue;
    for (let i = k + 1; i < size; i++) {
      const factor = lu[i * size + k]! / lu[k * size + k]!;
      lu[i * size + k] = factor;
      for (let j = k + 1; j < size; j++) lu[i * size + j]! -= factor * lu[k * size + j]!;
    }
  }
  return { lu, pivots, parity };
}

/** sign(det a) and log|det a|; a singular matrix has the sign 0 and −Infinity. */
export function slogdet(a: ArrayLike<number>, size: number): { sign: number; logAbs: number } {
  const { lu, parity } = luDecompose(a, size);
  let sign: number = parity;
  let logAbs = 0;
  for (let k = 0; k < size; k++) {
    sign *= Math.sign(lu[k * size + k]!);
    logAbs += Math.log(Math.abs(lu[k * size + k]!));
  }
  // Adding zero makes a −0 a 0.
  return { sign: sign + 0, logAbs };
}

/** x of a·x = b, for one right-hand side. */
export function solve(a: ArrayLike<number>, b: ArrayLike<number>, size: number): Float64Array {
  const { lu, pivots } = luDecompose(a, size);
  const x = Float64Array.from(pivots, (row) => b[row]!);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) x[i]! -= lu[i * size + j]! * x[j]!;
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let j = i + 1; j < size; j++) x[i]! -= lu[i * size + j]! * x[j]!;
    x[i]! /= lu[i * size + i]!;
  }
  return x;
}

/** a⁻¹ [D, D]. */
export function inverse(a: ArrayLike<number>, size: number): Float64Array {
  const result = new Float64Array(size * size);
  for (let c = 0; c < size; c++) {
    const unit = new Float64Array(size);
    unit[c] = 1;
    solve(a, unit, size).forEach((value, r) => {
      result[r * size + c] = value;
    });
  }
  return result;
}

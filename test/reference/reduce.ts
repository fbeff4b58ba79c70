/** Sums, means and extremes of x [rows, columns], float64, with compensated sums (Neumaier 1974). */

/** Σ values, the rounding errors added up and given back at the end. */
export function sum(values: ArrayLike<number>): number {
  let total = 0;
  let lost = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const next = total + value;
    lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
    total = next;
  }
  // With an infinity, `lost` is NaN and the plain sum is the answer.
  return Number.isFinite(total) ? total + lost : total;
}

/** The rows of a matrix, as arrays. */
export function rowsOf(x: ArrayLike<number>, rows: number): number[][] {
  const columns = x.length / rows;
  return Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (_, c) => x[r * columns + c]!),
  );
}

/** The columns of a matrix, as arrays. */
function columnsOf(x: ArrayLike<number>, rows: number): number[][] {
  const columns = x.length / rows;
  return Array.from({ length: columns }, (_, c) =>
    Array.from({ length: rows }, (_, r) => x[r * columns + c]!),
  );
}

/** [rows]: `reduce` of each row. */
export function reduceRows(
  x: ArrayLike<number>,
  rows: number,
  reduce: (values: ArrayLike<number>) => number = sum,
): Float64Array {
  return Float64Array.from(rowsOf(x, rows), reduce);
}

/** [columns]: `reduce` of each column. */
export function reduceColumns(
  x: ArrayLike<number>,
  rows: number,
  reduce: (values: ArrayLike<number>) => number = sum,
): Float64Array {
  return Float64Array.from(columnsOf(x, rows), reduce);
}

/** Σ values / count. */
export function mean(values: ArrayLike<number>): number {
  return sum(values) / values.length;
}

/** Mean of (x − mean)², divided by N (biased). */
export function variance(values: ArrayLike<number>): number {
  const center = mean(values);
  return mean(Float64Array.from(values, (value) => (value - center) ** 2));
}

/** The largest value; NaN if there is one. */
export function max(values: ArrayLike<number>): number {
  let largest = -Infinity;
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) return Number.NaN;
    largest = Math.max(largest, values[i]!);
  }
  return largest;
}

/** The smallest value; NaN if there is one. */
export function min(values: ArrayLike<number>): number {
  return -max(Float64Array.from(values, (value) => -value));
}

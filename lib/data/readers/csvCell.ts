/** The number in a cell of text. */

/** What a cell says that stands for "no value here", in lower case. */
const MISSING = new Set([
  ...['', 'na', 'n/a', '#n/a', 'nan', '-nan', 'null', 'none', 'nil', '?', '-', '.'],
]);

const INFINITE = new Map([
  ...['inf', '+inf', 'infinity', '+infinity'].map((word) => [word, Infinity] as const),
  ...['-inf', '-infinity'].map((word) => [word, -Infinity] as const),
]);

/**
 * The number in a cell.
 *
 * `Number` alone would read an empty cell as 0 and `0x1F` as 31; and it refuses `nan` and `inf`.
 *
 * @returns a finite number; NaN for a missing value; ±Infinity; undefined for any other text
 */
export function parseCell(cell: string): number | undefined {
  const value = +cell;
  // The usual case first: a finite number other than 0, in decimal digits.
  if (value !== 0 && Number.isFinite(value)) return isDecimal(cell) ? value : undefined;
  const text = cell.trim().toLowerCase();
  if (MISSING.has(text)) return Number.NaN;
  if (value === 0) return isDecimal(text) ? value : undefined;
  // The word, or digits that float64 cannot hold: 1e999.
  return INFINITE.get(text);
}

/** Whether text that `Number` takes has no prefix 0x, 0o or 0b. */
function isDecimal(text: string): boolean {
  const first = text.charCodeAt(0);
  // A prefix has no sign before it, but it may have spaces: 1–9, a sign or a point settle it.
  if ((first > 0x30 && first <= 0x39) || (first >= 0x2b && first <= 0x2e)) return true;
  return !/^\s*0[box]/i.test(text);
}

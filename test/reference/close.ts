/** Comparison of arrays with a tolerance in units of float64 eps, relative to the size of the array. */
import { expect } from 'vitest';

/** 2⁻⁵². */
export const eps64 = 2 ** -52;

/**
 * Every element within `units`·eps of the expected one, relative to the larger of itself and `scale`
 * (by default the largest expected magnitude: an element that cancelled from larger ones has their rounding).
 * Infinities and NaN must be the same.
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  units: number,
  what: string,
  scale?: number,
): void {
  expect(actual.length, `${what}: length`).toBe(expected.length);
  let size = scale ?? 0;
  if (scale === undefined) {
    for (let i = 0; i < expected.length; i++) {
      if (Number.isFinite(expected[i])) size = Math.max(size, Math.abs(expected[i]!));
    }
  }
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!];
    if (!Number.isFinite(e)) {
      expect(a, `${what}[${i}]`).toBe(e);
      continue;
    }
    const off = Math.abs(a - e) / (eps64 * Math.max(size, Math.abs(e), Number.MIN_VALUE / eps64));
    expect(off, `${what}[${i}]: ${a} against ${e}, in eps`).toBeLessThanOrEqual(units);
  }
}

/** A number source for fixtures: the same numbers at each run, signed, spread over about [−2, 2]. */
export function fixture(seed: number): (length: number, scale?: number) => Float64Array {
  // mulberry32: small, and independent of the generator under test.
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return (length, scale = 1) =>
    Float64Array.from({ length }, () => scale * (next() + next() + next() + next() - 2));
}

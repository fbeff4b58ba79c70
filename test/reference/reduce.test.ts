import { describe, expect, it } from 'vitest';
import { max, mean, min, reduceColumns, reduceRows, sum, variance } from './reduce';

describe('reductions', () => {
  it('keeps what a plain sum loses', () => {
    expect(sum([1, 1e100, 1, -1e100])).toBe(2);
    expect(sum(Array.from({ length: 10 }, () => 0.1))).toBe(1);
    expect(sum([1, Infinity])).toBe(Infinity);
  });

  it('reduces rows and columns', () => {
    const x = [1, 2, 3, 4, 5, -6];
    expect([...reduceRows(x, 2)]).toEqual([6, 3]);
    expect([...reduceColumns(x, 2)]).toEqual([5, 7, -3]);
    expect([...reduceRows(x, 2, max)]).toEqual([3, 5]);
    expect([...reduceColumns(x, 2, min)]).toEqual([1, 2, -6]);
    expect(mean(x)).toBe(1.5);
    expect(variance([1, 3])).toBe(1);
    expect(max([1, Number.NaN, 3])).toBeNaN();
  });
});

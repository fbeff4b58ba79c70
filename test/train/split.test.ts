import { describe, expect, it } from 'vitest';
import { trainValidationSplit } from '../../lib/train';

const table = {
  data: Uint8Array.from({ length: 60 }, (_, k) => k),
  rows: 20,
  cols: 3,
  shape: [20, 3, 1],
  columns: ['a', 'b', 'c'],
  source: 'x.csv',
};

describe('trainValidationSplit', () => {
  it('puts each row into one part, whole and in order', () => {
    const { train, validation } = trainValidationSplit(table, 0.25, 7);
    expect([train.rows, validation.rows]).toEqual([15, 5]);
    const firsts = (part: typeof table) =>
      Array.from({ length: part.rows }, (_, n) => [...part.data.subarray(3 * n, 3 * n + 3)]);
    const all = [...firsts(train), ...firsts(validation)];
    for (const [a, b, c] of all) expect([b, c]).toEqual([(a as number) + 1, (a as number) + 2]);
    expect(all.map(([a]) => a).sort((a, b) => (a as number) - (b as number))).toEqual(
      Array.from({ length: 20 }, (_, n) => 3 * n),
    );
    for (const part of [train, validation]) {
      const order = firsts(part).map(([a]) => a as number);
      expect(order).toEqual(order.toSorted((a, b) => a - b));
      expect(part.data).toBeInstanceOf(Uint8Array);
      expect(part.shape).toEqual([part.rows, 3, 1]);
      expect(part.columns).toEqual(['a', 'b', 'c']);
      expect(part.source).toBe('x.csv');
    }
  });

  it('by the seed', () => {
    const of = (seed: number) => [...trainValidationSplit(table, 0.5, seed).validation.data];
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
  });

  it('has at least one row to validate by', () => {
    expect(trainValidationSplit(table, 0.001).validation.rows).toBe(1);
  });
});

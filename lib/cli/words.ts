/** From words of the command line to values. A word that cannot be meant is a usage error. */
import { InvalidArgumentError } from 'commander';
import type { ColumnKey } from '../data/table';

/** A number in [low, high]; `open` leaves out the lower end. */
export function number(low: number, high: number, open = false): (word: string) => number {
  return (word) => {
    const value = word.trim() === '' ? Number.NaN : Number(word);
    if (value >= low && value <= high && !(open && value === low)) return value;
    const range = Number.isFinite(high)
      ? `from ${low} to ${high}${open ? `, ${low} not included` : ''}`
      : `${open ? '>' : '≥'} ${low}`;
    throw new InvalidArgumentError(`It must be a number ${range}.`);
  };
}

/** A whole number in [low, high]. */
export function whole(low: number, high = Number.MAX_SAFE_INTEGER): (word: string) => number {
  return (word) => {
    const value = word.trim() === '' ? Number.NaN : Number(word);
    if (Number.isSafeInteger(value) && value >= low && value <= high) return value;
    const range = high < Number.MAX_SAFE_INTEGER ? `from ${low} to ${high}` : `≥ ${low}`;
    throw new InvalidArgumentError(`It must be a whole number ${range}.`);
  };
}

/** Widths of layers: 512,512. */
export function widths(word: string): number[] {
  const list = word.split(',').map(Number);
  if (list.every((width) => Number.isSafeInteger(width) && width >= 1)) return list;
  throw new InvalidArgumentError('It must be whole numbers ≥ 1 with commas: 512,512.');
}

/** An order of norms: a number from 1, inf or learned. */
export function normOrder(word: string): number | 'learned' {
  if (word === 'learned') return word;
  const order = word === 'inf' ? Number.POSITIVE_INFINITY : Number(word.trim() || Number.NaN);
  if (order >= 1) return order;
  throw new InvalidArgumentError('It must be a number ≥ 1, inf or learned.');
}

/** Numbers with commas: 0.5,-1. */
export function numbers(word: string): number[] {
  const list = word.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (list.every(Number.isFinite)) return list;
  throw new InvalidArgumentError('It must be numbers with commas: 0.5,-1.');
}

/** Pairs of row indices: 0:1,5:7. */
export function pairs(word: string): [number, number][] {
  return word.split(',').map((part): [number, number] => {
    const match = /^\s*(\d+)\s*:\s*(\d+)\s*$/.exec(part);
    if (match) return [Number(match[1]), Number(match[2])];
    throw new InvalidArgumentError('It must be pairs of row indices with commas: 0:1,5:7.');
  });
}

/** Columns with commas: names, indices counted from 0, ranges of indices: age,3,5-8. */
export function columns(word: string): ColumnKey[] {
  return word.split(',').flatMap((part): ColumnKey[] => {
    const key = part.trim();
    if (key === '') {
      throw new InvalidArgumentError('It must be names or indices with commas: age,3,5-8.');
    }
    const range = /^(\d+)-(\d+)$/.exec(key);
    if (!range) return [/^\d+$/.test(key) ? Number(key) : key];
    const [first, last] = [Number(range[1]), Number(range[2])];
    if (last < first || last - first >= 1e6) {
      throw new InvalidArgumentError(`The range ${key} must go from a lower to a higher index.`);
    }
    return Array.from({ length: last - first + 1 }, (_, k) => first + k);
  });
}

/** A part of the rows as a fraction in (0, 1), or a file. A file called 0.1 is ./0.1. */
export function part(word: string): number | string {
  const value = Number(word);
  if (word.trim() === '' || Number.isNaN(value)) return word;
  if (value > 0 && value < 1) return value;
  throw new InvalidArgumentError(
    'It must be a file, or a fraction of the rows above 0 and below 1.',
  );
}

/** A time in seconds: 90, 90s, 5m, 1.5h. */
export function seconds(word: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([smh]?)$/.exec(word.trim());
  const value = Number(match?.[1]) * { '': 1, s: 1, m: 60, h: 3600 }[match?.[2] ?? '']!;
  if (value > 0) return value;
  throw new InvalidArgumentError('It must be a time above 0: 90, 90s, 5m or 1.5h.');
}

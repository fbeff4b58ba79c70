import { describe, expect, it } from 'vitest';
import { duration, shellWord } from '../../lib/cli/text';
import { columns, number, numbers, part, seconds, whole, widths } from '../../lib/cli/words';

describe('words of the command line', () => {
  it('become columns: names, indices and ranges in their order', () => {
    expect(columns('age, 3,5-8,0')).toEqual(['age', 3, 5, 6, 7, 8, 0]);
    expect(columns('a-b')).toEqual(['a-b']);
    for (const bad of ['', 'a,,b', '8-5', '0-2000000']) expect(() => columns(bad)).toThrow(/must/);
  });

  it('become widths, numbers and times', () => {
    expect(widths('512,64')).toEqual([512, 64]);
    expect(numbers('-0.5,1e3')).toEqual([-0.5, 1000]);
    expect(['90', '90s', '5m', '1.5h'].map(seconds)).toEqual([90, 90, 300, 5400]);
    for (const bad of ['', '0', '512,', '1.5', '-3']) expect(() => widths(bad)).toThrow(/must/);
    for (const bad of ['', '1,', 'NaN', 'Infinity']) expect(() => numbers(bad)).toThrow(/must/);
    for (const bad of ['', '0', '-1', '5d', 'soon']) expect(() => seconds(bad)).toThrow(/must/);
  });

  it('become a fraction or a file', () => {
    expect(part('0.25')).toBe(0.25);
    expect(part('rows.csv')).toBe('rows.csv');
    for (const bad of ['0', '1', '-0.1', '20']) expect(() => part(bad)).toThrow(/fraction/);
  });

  it('are held to their range, ends included or not', () => {
    expect(number(0, 1)('0')).toBe(0);
    expect(whole(1, 256)('256')).toBe(256);
    expect(() => number(0, 1, true)('0')).toThrow(/0 not included/);
    for (const bad of ['', ' ', 'x', '2', 'NaN']) expect(() => number(0, 1)(bad)).toThrow(/must/);
    for (const bad of ['0', '257', '1.5', '1e400'])
      expect(() => whole(1, 256)(bad)).toThrow(/must/);
  });

  it('go back to a shell as they came', () => {
    expect(shellWord('runs/a-1.csv', 'linux')).toBe('runs/a-1.csv');
    expect(shellWord("it's $HOME", 'linux')).toBe("'it'\\''s $HOME'");
    expect(shellWord('C:\\runs\\a-1.csv', 'win32')).toBe('C:\\runs\\a-1.csv');
    expect(shellWord("C:\\it's mine", 'win32')).toBe('"C:\\it\'s mine"');
    expect([59.6, 3661].map(duration)).toEqual(['1:00', '1:01:01']);
  });
});

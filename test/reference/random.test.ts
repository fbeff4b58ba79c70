import { describe, expect, it } from 'vitest';
import { boxMuller, philox4x32, uniformOf32, uniformOf64 } from './random';

const hex = (words: readonly number[]) =>
  words.map((w) => w.toString(16).padStart(8, '0')).join(' ');

describe('Philox4x32-10', () => {
  // The known-answer vectors of the Random123 distribution (tests/kat_vectors, lines "philox4x32 10").
  const all = 0xffffffff;
  it.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [[all, all, all, all], [all, all], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    ],
  ] as const)('counter %j, key %j', (counter, key, answer) => {
    expect(hex(philox4x32(counter, key))).toBe(answer);
  });
});

describe('uniforms and normals', () => {
  it('lie strictly inside (0, 1), symmetric', () => {
    expect(uniformOf32(0)).toBeGreaterThan(0);
    expect(uniformOf32(0xffffffff)).toBeLessThan(1);
    expect(uniformOf32(0) + uniformOf32(0xffffffff)).toBe(1);
    expect(uniformOf64(0, 0)).toBe(2 ** -53);
    expect(uniformOf64(0xffffffff, 0xffffffff)).toBe(1 - 2 ** -53);
  });

  it('Box–Muller of Philox has the moments of a normal', () => {
    const values: number[] = [];
    for (let i = 0; i < 20000; i++) {
      const [a, b, c, d] = philox4x32([i, 0, 0, 0], [42, 7]);
      values.push(...boxMuller(uniformOf32(a), uniformOf32(b)));
      values.push(...boxMuller(uniformOf32(c), uniformOf32(d)));
    }
    const moment = (k: number) => values.reduce((s, v) => s + v ** k, 0) / values.length;
    // Four standard errors of the mean of v^k: √(var v^k / 80000), var = 1, 2, 15, 96.
    const bound = (variance: number) => 4 * Math.sqrt(variance / values.length);
    expect(Math.abs(moment(1))).toBeLessThan(bound(1));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(bound(2));
    expect(Math.abs(moment(3))).toBeLessThan(bound(15));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(bound(96));
  });
});

import { describe, expect, it } from 'vitest';
import { expectClose, fixture } from './close';
import { inverse, luDecompose, slogdet, solve } from './linalg';
import { matmul } from './linear';

describe('LU', () => {
  it('has the determinants that are known', () => {
    expect(slogdet([2, 1, 5, 3], 2)).toEqual({ sign: 1, logAbs: expect.closeTo(0, 14) });
    expect(slogdet([0, 1, 1, 0], 2)).toEqual({ sign: -1, logAbs: 0 });
    const rotation = [Math.cos(1), -Math.sin(1), Math.sin(1), Math.cos(1)];
    expect(slogdet(rotation, 2)).toEqual({ sign: 1, logAbs: expect.closeTo(0, 14) });
    expect(slogdet([1, 2, 2, 4], 2)).toEqual({ sign: 0, logAbs: -Infinity });
  });

  it('Vandermonde: the product of the differences', () => {
    const t = [-1.5, -0.3, 0.4, 1.2, 2];
    const matrix = t.flatMap((value) => t.map((_, power) => value ** power));
    let product = 1;
    for (let j = 0; j < t.length; j++) for (let i = 0; i < j; i++) product *= t[j]! - t[i]!;
    const { sign, logAbs } = slogdet(matrix, t.length);
    expect(sign).toBe(Math.sign(product));
    expect(logAbs).toBeCloseTo(Math.log(Math.abs(product)), 12);
  });

  it('Hilbert 6: 1/186313420339200000', () => {
    const matrix = Array.from({ length: 36 }, (_, i) => 1 / (Math.floor(i / 6) + (i % 6) + 1));
    const { sign, logAbs } = slogdet(matrix, 6);
    expect(sign).toBe(1);
    // The condition number is 1.5e7: 16 − 7 digits.
    expect(logAbs).toBeCloseTo(-Math.log(186313420339200000), 8);
  });

  it('does not overflow where the determinant does', () => {
    const size = 400;
    const matrix = Float64Array.from({ length: size * size }, (_, i) =>
      Math.floor(i / size) === i % size ? -10 : 0,
    );
    const { sign, logAbs } = slogdet(matrix, size);
    expect(sign).toBe(1);
    expect(logAbs).toBeCloseTo(size * Math.log(10), 9);
  });

  it('P·A = L·U, and solves', () => {
    const size = 7;
    const random = fixture(3);
    const a = random(size * size);
    const { lu, pivots } = luDecompose(a, size);
    const at = (r: number, c: number) => lu[r * size + c]!;
    const square = (f: (r: number, c: number) => number) =>
      Float64Array.from({ length: size * size }, (_, i) => f(Math.floor(i / size), i % size));
    const lower = square((r, c) => (r === c ? 1 : r > c ? at(r, c) : 0));
    const upper = square((r, c) => (r <= c ? at(r, c) : 0));
    const permuted = square((r, c) => a[pivots[r]! * size + c]!);
    expectClose(matmul(lower, upper, size, size, size), permuted, 16, 'LU');
    const x = random(size);
    expectClose(solve(a, matmul(a, x, size, size, 1), size), x, 4096, 'x');
    const identity = square((r, c) => (r === c ? 1 : 0));
    expectClose(matmul(a, inverse(a, size), size, size, size), identity, 4096, 'A·A⁻¹');
  });
});

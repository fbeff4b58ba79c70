/** What the contract does not see of a decomposition: the triangles, the permutation, the condition number. */
import { describe, expect, it } from 'vitest';
import { conditionNumber, luFactor } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { expectClose, fixture } from '../reference/close';
import { inverse } from '../reference/linalg';

const oneNorm = (a: Float64Array, n: number) =>
  Math.max(
    ...Array.from({ length: n }, (_, c) =>
      a.reduce((sum, value, i) => (i % n === c ? sum + Math.abs(value) : sum), 0),
    ),
  );

describe.each([1, 2, 7, 32, 45, 100])('a random matrix of %i', (n) => {
  const values = fixture(n)(n * n);

  it('is the product of its triangles, rows exchanged, with multipliers of at most 1', () => {
    scope(() => {
      const lu = luFactor(tensorOfArray(values, [n, n]));
      const factors = lu.factors.dataSync();
      const rows = [...lu.rows.dataSync()];
      expect([...rows].sort((a, b) => a - b)).toEqual(rows.map((_, i) => i));
      const product = new Float64Array(n * n);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let k = 0; k <= Math.min(i, j); k++)
            sum += (k === i ? 1 : factors[i * n + k]!) * factors[k * n + j]!;
          product[rows[i]! * n + j] = sum;
          if (j < i) expect(Math.abs(factors[i * n + j]!)).toBeLessThanOrEqual(1);
        }
      }
      // The growth of the elements in the elimination with pivoting, and n terms.
      expectClose(product, values, 8 * n, 'P·L·U');
    });
  });

  it('has the condition number of the definition', () => {
    scope(() => {
      const truth = oneNorm(values, n) * oneNorm(inverse(values, n), n);
      const lu = luFactor(tensorOfArray(values, [n, n]));
      // The inverse of a random matrix: its condition number, some n², in eps.
      expectClose([conditionNumber(lu)], [truth], 100 * n * n, 'condition number');
    });
  });
});

it('a Hilbert matrix is told to be near-singular', () => {
  scope(() => {
    const n = 8;
    const hilbert = Float64Array.from(
      { length: n * n },
      (_, i) => 1 / (Math.floor(i / n) + (i % n) + 1),
    );
    // Its condition number in the 1-norm is 3.387e10 (Todd 1954).
    const condition = conditionNumber(luFactor(tensorOfArray(hilbert, [n, n])));
    expect(Math.abs(condition / 3.387e10 - 1)).toBeLessThan(1e-3);
  });
});

it('a singular matrix has log-det −∞, sign 0 and an infinite condition number; NaN stays NaN', () => {
  scope(() => {
    const singular = luFactor(tensorOfArray(Float64Array.of(1, 2, 2, 4), [2, 2]));
    expect(singular.logAbsDet.item()).toBe(-Infinity);
    expect(singular.sign.item()).toBe(0);
    expect(conditionNumber(singular)).toBe(Infinity);
    const broken = luFactor(tensorOfArray(Float64Array.of(1, Number.NaN, 2, 4), [2, 2]));
    expect(broken.logAbsDet.item()).toBeNaN();
    expect(broken.sign.item()).toBeNaN();
  });
});

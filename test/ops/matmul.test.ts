import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { matmul, mul, sum } from '../../lib/ops';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { expectClose, fixture } from '../reference/close';
import * as reference from '../reference/linear';

describe('matmul', () => {
  const cases = [false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => ({ transposeA, transposeB })),
  );

  it.each(cases)('$transposeA, $transposeB: values and gradients against plain loops', (t) => {
    for (const [m, k, n] of [
      [1, 1, 1],
      [5, 7, 3],
      [33, 17, 65],
      [100, 2, 31],
    ] as const) {
      const next = fixture(m * k + n);
      const [a, b, dc] = [next(m * k), next(k * n), next(m * n)];
      const ta = tensorOfArray(a, t.transposeA ? [k, m] : [m, k]);
      const tb = tensorOfArray(b, t.transposeB ? [n, k] : [k, n]);
      const { gradients } = valueAndGradient(() => {
        const c = matmul(ta, tb, t);
        expect(c.shape).toEqual([m, n]);
        expectClose(c.dataSync(), reference.matmul(a, b, m, k, n, t), 8 + k, 'c');
        return sum(mul(c, tensorOfArray(dc, [m, n])));
      }, [ta, tb]);
      // dA = dC·Bᵀ in a's own layout, dB = Aᵀ·dC in b's.
      const transposed = (v: Float64Array, rows: number, cols: number) =>
        v.map((_, i) => v[(i % rows) * cols + Math.floor(i / rows)] ?? 0);
      const plainA = t.transposeA ? transposed(a, k, m) : a;
      const plainB = t.transposeB ? transposed(b, n, k) : b;
      const dA = reference.matmul(dc, plainB, m, n, k, { transposeB: true });
      const dB = reference.matmul(plainA, dc, k, m, n, { transposeA: true });
      const [ga, gb] = gradients.map((g) => g?.dataSync() ?? []);
      expectClose(ga ?? [], t.transposeA ? transposed(dA, m, k) : dA, 8 + n, 'dA');
      expectClose(gb ?? [], t.transposeB ? transposed(dB, k, n) : dB, 8 + m, 'dB');
    }
  });

  it.each([
    [12, 12, 2500],
    [50, 31, 2500],
    [96, 96, 2500],
    [40, 160, 2500],
    [7, 300, 2500],
    [96, 70, 300],
    [200, 150, 256],
    [260, 300, 1100],
  ])('weight gradients, %i × %i, over %i rows', (m, n, k) => {
    // So long a sum is cut into pieces; how many panels there are decides whether a piece packs the transposed operand.
    const next = fixture(m + n);
    const [a, b] = [next(k * m), next(k * n)];
    const wanted = reference.matmul(a, b, m, k, n, { transposeA: true });
    for (const [narrow, units] of [
      [false, 8 + k],
      [true, (8 + k) * 2 ** 29],
    ] as const) {
      const held = (values: Float64Array) => (narrow ? Float32Array.from(values) : values);
      const c = matmul(tensorOfArray(held(a), [k, m]), tensorOfArray(held(b), [k, n]), {
        transposeA: true,
      });
      expectClose(c.dataSync(), wanted, units, 'c');
    }
  });

  it('hands leading axes on, and names inner sizes that differ', () => {
    const next = fixture(1);
    const a = tensorOfArray(next(24), [2, 3, 4]);
    const b = tensorOfArray(next(20), [4, 5]);
    expect(matmul(a, b).shape).toEqual([2, 3, 5]);
    expect(() => matmul(b, a)).toThrow(/\[matmul\] b: expected inner size 5.*got 6 of \[2, 3, 4\]/);
    expect(() => matmul(a, tensorOfArray(new Float32Array(20), [4, 5]))).toThrow(/\[matmul\] b/);
  });
});

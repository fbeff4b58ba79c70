import { describe, expect, it } from 'vitest';
import { expectClose, fixture } from './close';
import { gradient } from './differences';
import { linear, linearGradients, maskedLinear, maskedLinearGradients, matmul } from './linear';

describe('linear', () => {
  const random = fixture(1);
  const [n, fanIn, fanOut] = [3, 4, 5];
  const x = random(n * fanIn);
  const weight = random(fanOut * fanIn);
  const bias = random(fanOut);
  const dy = random(n * fanOut);
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);

  it('is x · weightᵀ + bias', () => {
    expect([...linear([1, 2], [3, 4, 5, 6], [10, 20], 1, 2, 2)]).toEqual([21, 37]);
    expectClose(
      linear(x, weight, null, n, fanIn, fanOut),
      matmul(x, weight, n, fanIn, fanOut, { transposeB: true }),
      8,
      'y',
    );
  });

  it('has the gradients of finite differences', () => {
    const g = linearGradients(x, weight, dy, n, fanIn, fanOut);
    const of = (a: ArrayLike<number>, w: ArrayLike<number>, b: ArrayLike<number>) =>
      dot(linear(a, w, b, n, fanIn, fanOut), dy);
    // 1e5 eps: what central differences of a function of size 10 leave.
    expectClose(g.dx, gradient((p) => of(p, weight, bias), x).values, 1e5, 'dx');
    expectClose(g.dWeight, gradient((p) => of(x, p, bias), weight).values, 1e5, 'dWeight');
    expectClose(g.dBias, gradient((p) => of(x, weight, p), bias).values, 1e5, 'dBias');
  });

  it('does not see what stands at a masked place', () => {
    const mask = [1, 0, 1, 1, 0, 0];
    const clean = [2, 0, 3, 4, 0, 0];
    const dirty = [2, Number.NaN, 3, 4, 7, Number.POSITIVE_INFINITY];
    expect(maskedLinear([1, 5], dirty, mask, null, 1, 2, 3)).toEqual(
      linear([1, 5], clean, null, 1, 2, 3),
    );
    const g = maskedLinearGradients([1, 5], dirty, mask, [1, 2, 3], 1, 2, 3);
    expect([...g.dWeight]).toEqual([1, 0, 2, 10, 0, 0]);
    expect([...g.dx]).toEqual([8, 8]);
  });

  it('multiplies transposed matrices', () => {
    const a = [1, 2, 3, 4, 5, 6];
    const at = [1, 4, 2, 5, 3, 6];
    const b = [1, -1, 2, 0, 3, 1];
    const bt = [1, 2, 3, -1, 0, 1];
    const product = [14, 2, 32, 2];
    expect([...matmul(a, b, 2, 3, 2)]).toEqual(product);
    expect([...matmul(at, b, 2, 3, 2, { transposeA: true })]).toEqual(product);
    expect([...matmul(a, bt, 2, 3, 2, { transposeB: true })]).toEqual(product);
  });
});

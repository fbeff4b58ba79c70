import { describe, expect, it } from 'vitest';
import { orthogonal } from '../../lib/nn';
import { RandomStream } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { eps64 } from '../reference/close';

const draw = (seed: number, size: number): Float64Array => {
  const stream = new RandomStream(seed);
  const values = scope(() => orthogonal(stream, size).dataSync()) as Float64Array;
  stream.dispose();
  return values;
};

describe('a random rotation', () => {
  it.each([1, 2, 3, 12, 48, 129])('of %i keeps lengths', (n) => {
    const q = draw(1, n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        let product = 0;
        for (let k = 0; k < n; k++) product += q[i * n + k]! * q[j * n + k]!;
        // n reflections, each with the error of sums of n terms of the size 1/√n.
        expect(Math.abs(product - (i === j ? 1 : 0))).toBeLessThan(8 * n * eps64);
      }
    }
  });

  it('is the same for the same seed, and another for another', () => {
    expect(draw(3, 6)).toEqual(draw(3, 6));
    expect(draw(4, 6)).not.toEqual(draw(3, 6));
  });

  it('has entries with the moments of the uniform measure', () => {
    // E q = 0, E q² = 1/n, E q⁴ = 3/(n(n + 2)), both signs of the determinant. 4000 draws of 3 × 3: the standard error of the
    // mean of q² is √(3/15 − 1/9)/√4000 = 0.005, of q 0.009, of q⁴ 0.004.
    const stream = new RandomStream(7);
    const moments = Array.from({ length: 9 }, () => [0, 0, 0]);
    let positive = 0;
    const count = 4000;
    for (let t = 0; t < count; t++) {
      const q = scope(() => orthogonal(stream, 3).dataSync());
      q.forEach((value, i) => {
        for (const [k, power] of [1, 2, 4].entries()) moments[i]![k]! += value ** power / count;
      });
      const [a, b, c, d, e, f, g, h, i] = q as unknown as number[];
      const det = a! * (e! * i! - f! * h!) - b! * (d! * i! - f! * g!) + c! * (d! * h! - e! * g!);
      if (det > 0) positive++;
    }
    stream.dispose();
    for (const [first, second, fourth] of moments) {
      expect(Math.abs(first!)).toBeLessThan(0.045);
      expect(Math.abs(second! - 1 / 3)).toBeLessThan(0.025);
      expect(Math.abs(fourth! - 1 / 5)).toBeLessThan(0.02);
    }
    expect(Math.abs(positive / count - 0.5)).toBeLessThan(0.04);
  });
});

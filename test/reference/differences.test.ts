import { describe, expect, it } from 'vitest';
import { derivative, gradient, jacobian, taylorRatios } from './differences';

describe('finite differences', () => {
  it('gives smooth derivatives to about 1e-12, and says how good they are', () => {
    const one = derivative((t) => Math.exp(Math.sin(1.3 + t)));
    const exact = Math.exp(Math.sin(1.3)) * Math.cos(1.3);
    expect(Math.abs(one.value - exact)).toBeLessThan(1e-12);
    expect(one.error).toBeLessThan(1e-10);
  });

  it('does not trust a kink', () => {
    expect(derivative((t) => Math.abs(t + 0.001)).error).toBeGreaterThan(1e-4);
  });

  it('builds Jacobians row by row', () => {
    const f = (x: Float64Array) => [x[0]! * x[1]!, Math.sin(x[0]!), x[1]! ** 3];
    const { values } = jacobian(f, [0.7, -1.2]);
    const exact = [-1.2, 0.7, Math.cos(0.7), 0, 0, 3 * 1.44];
    values.forEach((value, i) => {
      expect(value).toBeCloseTo(exact[i]!, 10);
    });
  });

  it('Taylor ratios are 4 for the right gradient, 2 for a wrong one', () => {
    const f = (x: Float64Array) => Math.exp(x[0]!) * x[1]! ** 2;
    const x = [0.3, -0.8];
    const g = gradient(f, x).values;
    for (const ratio of taylorRatios(f, x, g, [1, 0.5])) expect(ratio).toBeCloseTo(4, 0);
    const wrong = g.map((v) => 1.01 * v);
    expect(taylorRatios(f, x, wrong, [1, 0.5]).at(-1)).toBeLessThan(3);
  });
});

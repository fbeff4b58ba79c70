import { describe, expect, it } from 'vitest';
import {
  combined,
  dopri5,
  euler,
  midpoint,
  rk4,
  stagesOf,
  stepOf,
} from '../../lib/bijections/rungeKutta';
import { affineScalar } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';

describe('methods of Runge and Kutta', () => {
  // dy/dt = y·(cos t + ½): y = exp(sin t + t/2).
  const at = (times: readonly number[]) =>
    times.map((t) => (y: Tensor) => [affineScalar(y, Math.cos(t) + 0.5)]);
  const start = () => tensorOfArray(Float64Array.of(1), [1, 1]);
  const exact = (t: number) => Math.exp(Math.sin(t) + t / 2);

  it('have their order', () => {
    const errorOf = (tableau: typeof rk4, h: number) =>
      scope(() => Math.abs(stepOf(tableau, at, 0, h, start())[0]!.item() - exact(h)));
    const embedded = (h: number) =>
      scope(() => {
        const y = start();
        const stages = stagesOf(dopri5, at(dopri5.c.map((c) => c * h)), h, y).map((k) => k[0]!);
        const next = combined(y, h, dopri5.b, stages)!;
        const all = [...stages, at([h])[0]!(next)[0]!];
        return next.item() - combined(null, h, dopri5.error!, all)!.item() - exact(h);
      });
    const order = (error: (h: number) => number) => Math.log2(Math.abs(error(0.2) / error(0.1)));
    // Of one step: one more than that of the method.
    expect(order((h) => errorOf(euler, h))).toBeCloseTo(2, 0);
    expect(order((h) => errorOf(midpoint, h))).toBeCloseTo(3, 0);
    expect(order((h) => errorOf(rk4, h))).toBeGreaterThan(4.8);
    expect(order((h) => errorOf(dopri5, h))).toBeGreaterThan(5.7);
    expect(order(embedded)).toBeGreaterThan(4.6);
    expect(order(embedded)).toBeLessThan(5.5);
  });
});

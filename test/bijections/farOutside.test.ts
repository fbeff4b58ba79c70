/** Far outside: |x| = 10, 100, 10,000. Log-determinants in logarithmic form, gradients that are numbers. */
import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import {
  type Bijection,
  ContinuousFlow,
  Elementwise,
  type ElementwiseMap,
  Planar,
  Radial,
  Sylvester,
} from '../../lib/bijections';
import type { FloatDType } from '../../lib/dtype';
import { VectorField } from '../../lib/nn';
import { cast, sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { randomize } from './cases';

const far = [-1e4, -100, -10, -0, 10, 100, 1e4];
const dtypes: readonly FloatDType[] = ['float32', 'float64'];
const tensor = (dtype: FloatDType, values: readonly number[], cols = 1) =>
  tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : Float64Array.from(values), [
    values.length / cols,
    cols,
  ]);

/** log|f'(x)| by formulas whose terms are exact far out. */
const softplus = (x: number) => Math.max(0, x) + Math.log1p(Math.exp(-Math.abs(x)));
const logSlopes: Readonly<Partial<Record<ElementwiseMap, (x: number) => number>>> = {
  leakyRelu: (x) => (x < 0 ? Math.log(0.2) : 0),
  sigmoid: (x) => -softplus(x) - softplus(-x),
  tanh: (x) => 2 * (Math.LN2 - Math.abs(x) - Math.log1p(Math.exp(-2 * Math.abs(x)))),
  softplus: (x) => -softplus(-x),
  exp: (x) => x,
  normalCdf: (x) => -(x * x) / 2 - Math.log(2 * Math.PI) / 2,
};

describe.each(dtypes)('%s', (dtype) => {
  // A few roundings of the result, which is as large as x or its square.
  const eps = dtype === 'float32' ? 2 ** -23 : 2 ** -52;

  it.each(Object.keys(logSlopes) as ElementwiseMap[])('%s', (map) => {
    const bijection = new Elementwise({ features: 1, map, dtype });
    scope(() => {
      const x = tensor(dtype, far);
      const { logDet } = bijection.forward(x);
      const got = logDet.dataSync();
      far.forEach((value, k) => {
        const wanted = logSlopes[map]?.(value) as number;
        expect(Math.abs(got[k]! - wanted)).toBeLessThanOrEqual(
          8 * eps * Math.max(1, Math.abs(wanted)),
        );
      });
      const { gradients } = valueAndGradient(() => sum(bijection.forward(x).logDet), [x]);
      for (const d of gradients[0]?.dataSync() ?? []) expect(Number.isFinite(d)).toBe(true);
    });
    bijection.dispose();
  });

  it('a continuous flow: there and back', () => {
    const field = new VectorField({ features: 2, hidden: [8], dtype });
    randomize(field, 4, 1);
    const flow = new ContinuousFlow({ field });
    scope(() => {
      const x = tensor(dtype, [...far, ...far.toReversed()], 2);
      const { y, logDet } = flow.forward(x);
      const { x: back, logDet: other } = flow.inverse(y);
      const [wanted, there, again] = [x.dataSync(), logDet.dataSync(), other.dataSync()];
      back.dataSync().forEach((value, k) => {
        const from = wanted[k] as number;
        // As the solver's tolerance says, of numbers of this size.
        expect(Math.abs(value - from)).toBeLessThan(1e-3 * Math.max(1, Math.abs(from)));
      });
      there.forEach((value, n) => {
        expect(Math.abs(value + again[n]!)).toBeLessThan(1e-3);
      });
      const { gradients } = valueAndGradient(() => sum(flow.forward(x).logDet), [x]);
      for (const d of gradients[0]?.dataSync() ?? []) expect(Number.isFinite(d)).toBe(true);
    });
    flow.dispose();
  });

  it('sinhArcsinh, learned: there and back', () => {
    const bijection = new Elementwise({ features: 1, map: 'sinhArcsinh', dtype });
    bijection
      .parameters()[0]!
      .write(dtype === 'float32' ? Float32Array.of(0.7, -0.4) : Float64Array.of(0.7, -0.4));
    scope(() => {
      const { y, logDet } = bijection.forward(tensor(dtype, far));
      const { x } = bijection.inverse(y);
      x.dataSync().forEach((value, k) => {
        // A relative error of y is one of x divided by the power of the tail, and the logarithm of 10⁴ is 10.
        expect(Math.abs(value - far[k]!)).toBeLessThanOrEqual(
          200 * eps * Math.max(1, Math.abs(far[k]!)),
        );
      });
      // sinh(tail·(asinh x + skew)): far out log|y'| = log tail + tail·(log 2|x| ± skew) − log 2|x|.
      const tail = Math.exp(-0.4);
      const s = Math.log(2e4);
      expect(logDet.dataSync()[6]).toBeCloseTo(-0.4 + tail * (s + 0.7) - s, 4);
    });
    bijection.dispose();
  });

  it.each([
    ['planar', () => new Planar({ features: 3, dtype })],
    ['planar, leaky ReLU', () => new Planar({ features: 3, transfer: 'leakyRelu', dtype })],
    ['radial', () => new Radial({ features: 3, dtype })],
    ['Sylvester', () => new Sylvester({ features: 3, dtype })],
  ] as const)('%s: there and back, solved, with numbers for gradients', (_name, make) => {
    const bijection: Bijection = make();
    randomize(bijection, 3, 2);
    scope(() => {
      const values = far.flatMap((value, k) => [value, -value / 2, k - 3]);
      const x = tensor(dtype, values, 3);
      const { y, logDet } = bijection.forward(x);
      const back = bijection.inverse(y);
      const difference = (a: ArrayLike<number>, b: ArrayLike<number>, k: number) =>
        Math.abs(a[k]! - b[k]!) / Math.max(1, Math.abs(far[Math.floor(k / 3)]!));
      const got = back.x.dataSync();
      // The slope of a map is above softplus of the least raw number here: some hundredths.
      values.forEach((_, k) => {
        expect(difference(got, values, k)).toBeLessThan(4000 * eps);
      });
      const logs = [logDet.dataSync(), back.logDet.dataSync()];
      logs[0]!.forEach((value, k) => {
        expect(Math.abs(value + logs[1]![k]!)).toBeLessThan(
          1e5 * eps * Math.max(1, Math.abs(far[k]!)),
        );
      });
      if (back.solve) {
        expect([...back.solve.converged.dataSync()]).toEqual(far.map(() => 1));
        // Near r·s = −1 the root is one of the third order, where Newton gains a third a step.
        expect(Math.max(...back.solve.iterations.dataSync())).toBeLessThan(100);
      }
      const { gradients } = valueAndGradient(() => {
        const step = bijection.inverse(bijection.forward(x).y);
        return sum(cast(step.logDet, 'float64'));
      }, [x, ...bijection.parameters()]);
      for (const d of gradients)
        for (const v of d?.dataSync() ?? []) expect(Number.isFinite(v)).toBe(true);
    });
    bijection.dispose();
  });
});

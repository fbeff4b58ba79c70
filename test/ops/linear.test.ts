import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { type DType, epsilonOf, type FloatDType } from '../../lib/dtype';
import { native } from '../../lib/native';
import { type Activation, add, linear, maskedLinear, mul, sum } from '../../lib/ops';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { activations } from '../reference/activations';
import { expectClose, fixture } from '../reference/close';
import * as reference from '../reference/linear';

const dtypes: readonly FloatDType[] = ['float64', 'float32'];
const names: readonly Activation[] = [
  'none',
  'relu',
  'tanh',
  'sigmoid',
  'elu',
  'leakyRelu',
  'softplus',
];

function make(values: Float64Array, shape: readonly number[], dtype: DType): Tensor {
  return tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, shape);
}

/** Rounded to the dtype, so that the reference sees the numbers that the op sees. */
function rounded(values: Float64Array, dtype: FloatDType): Float64Array {
  return dtype === 'float32' ? Float64Array.from(Float32Array.from(values)) : values;
}

/** Sums of K products of numbers up to about 2: K/2 eps in the worst order, relative to the largest. */
function tolerance(k: number, dtype: FloatDType): number {
  return ((8 + k) * epsilonOf(dtype)) / epsilonOf('float64');
}

function maskOf(extents: Int32Array, inputs: number): Float64Array {
  return Float64Array.from(
    { length: extents.length * inputs },
    (_, i) => +(i % inputs < (extents[Math.floor(i / inputs)] ?? 0)),
  );
}

/** Sorted and unsorted extents, the first and the last possible value among them. */
function extentsOf(kind: 'sorted' | 'any', units: number, inputs: number, seed: number) {
  const numbers = fixture(seed)(units);
  const extents = Int32Array.from(numbers, (v) =>
    Math.max(0, Math.min(inputs, Math.floor(((v + 2) / 4) * (inputs + 1)))),
  );
  if (units > 1) {
    extents[0] = 0;
    extents[units - 1] = inputs;
  }
  return kind === 'sorted' ? extents.sort() : extents;
}

const sizes = [
  [1, 1, 1],
  [3, 15, 17],
  [16, 16, 32],
  [129, 33, 31],
  [40, 300, 7],
  [256, 63, 129],
] as const;

describe.each(dtypes)('linear and maskedLinear, %s', (dtype) => {
  it.each(sizes)('%i rows, %i inputs, %i outputs against plain loops', (n, inputs, outputs) => {
    const next = fixture(n + inputs);
    const x = rounded(next(n * inputs), dtype);
    const weight = rounded(next(outputs * inputs), dtype);
    const bias = rounded(next(outputs), dtype);
    const addend = rounded(next(n * outputs), dtype);
    const dy = rounded(next(n * outputs), dtype);
    const operands = [
      make(x, [n, inputs], dtype),
      make(weight, [outputs, inputs], dtype),
      make(bias, [outputs], dtype),
      make(addend, [n, outputs], dtype),
    ] as const;
    const g = make(dy, [n, outputs], dtype);
    for (const kind of ['dense', 'sorted', 'any'] as const) {
      const extents = kind === 'dense' ? null : extentsOf(kind, outputs, inputs, outputs);
      const mask = extents ? maskOf(extents, inputs) : new Float64Array(outputs * inputs).fill(1);
      const seen = extents ? tensorOfArray(extents, [outputs]) : null;
      const result = valueAndGradient(() => {
        const [tx, tw, tb, ta] = operands;
        const y = seen
          ? maskedLinear(tx, tw, tb, { extents: seen, addend: ta })
          : linear(tx, tw, tb, { addend: ta });
        const z = reference.maskedLinear(x, weight, mask, bias, n, inputs, outputs);
        const expected = z.map((v, i) => v + (addend[i] ?? 0));
        expectClose(y.dataSync(), expected, tolerance(inputs, dtype), `${kind} y`);
        return sum(mul(y, g));
      }, operands);
      const expected = reference.maskedLinearGradients(x, weight, mask, dy, n, inputs, outputs);
      const [dx, dWeight, dBias, dAddend] = result.gradients.map((d) => d?.dataSync());
      expectClose(dx ?? [], expected.dx, tolerance(outputs, dtype), `${kind} dx`);
      expectClose(dWeight ?? [], expected.dWeight, tolerance(n, dtype), `${kind} dWeight`);
      expectClose(dBias ?? [], expected.dBias, tolerance(n, dtype), `${kind} dBias`);
      expect(dAddend).toEqual(g.dataSync());
      for (let i = 0; i < mask.length; i++) if (mask[i] === 0) expect(dWeight?.[i]).toBe(0);
    }
  });

  it.each(names)('%s after the product, and its derivative', (activation) => {
    const [n, inputs, outputs] = [37, 21, 19];
    const { f, df } = activations[activation === 'none' ? 'identity' : activation];
    const next = fixture(11);
    const x = rounded(next(n * inputs, 0.4), dtype);
    const weight = rounded(next(outputs * inputs, 0.4), dtype);
    const bias = rounded(next(outputs), dtype);
    const dy = rounded(next(n * outputs), dtype);
    const g = make(dy, [n, outputs], dtype);
    const operands = [
      make(x, [n, inputs], dtype),
      make(weight, [outputs, inputs], dtype),
      make(bias, [outputs], dtype),
    ] as const;
    const z = reference.linear(x, weight, bias, n, inputs, outputs);
    const { gradients } = valueAndGradient(() => {
      const y = linear(...operands, { activation });
      expectClose(y.dataSync(), z.map(f), tolerance(inputs, dtype), 'y');
      return sum(mul(y, g));
    }, operands);
    const dz = dy.map((d, i) => d * df(z[i] ?? 0));
    const expected = reference.linearGradients(x, weight, dz, n, inputs, outputs);
    // dz has the rounding of z behind it, which the derivative multiplies by at most |act''| ≤ 1.
    const units = tolerance(inputs + n, dtype);
    expectClose(gradients[0]?.dataSync() ?? [], expected.dx, units, 'dx');
    expectClose(gradients[1]?.dataSync() ?? [], expected.dWeight, units, 'dWeight');
    expectClose(gradients[2]?.dataSync() ?? [], expected.dBias, units, 'dBias');
  });

  it('does not read the weight outside of the mask', () => {
    const extents = Int32Array.of(0, 3, 1, 5);
    const next = fixture(5);
    const weight = rounded(next(20), dtype);
    const mask = maskOf(extents, 5);
    const poisoned = weight.map((w, i) => (mask[i] === 0 ? Number.NaN : w));
    const x = rounded(next(15), dtype);
    const seen = tensorOfArray(extents, [4]);
    const tx = make(x, [3, 5], dtype);
    const { value, gradients } = valueAndGradient(
      () => sum(maskedLinear(tx, make(poisoned, [4, 5], dtype), null, { extents: seen })),
      [tx],
    );
    const y = reference.maskedLinear(x, weight, mask, null, 3, 5, 4);
    expectClose([value.item()], [y.reduce((a, b) => a + b, 0)], tolerance(60, dtype), 'sum', 4);
    expect([...(gradients[0]?.dataSync() ?? [])].every(Number.isFinite)).toBe(true);
  });

  it('gives the same bits with one thread and with several', () => {
    const [n, inputs, outputs] = [300, 200, 180];
    const next = fixture(3);
    const x = make(next(n * inputs), [n, inputs], dtype);
    const weight = make(next(outputs * inputs), [outputs, inputs], dtype);
    const bias = make(next(outputs), [outputs], dtype);
    const extents = tensorOfArray(extentsOf('any', outputs, inputs, 8), [outputs]);
    const run = (threads: number) => {
      native.setThreads(threads);
      const { value, gradients } = valueAndGradient(
        () => sum(maskedLinear(x, weight, bias, { extents, activation: 'tanh' })),
        [x, weight, bias],
      );
      return [value, ...gradients].map((t) => t?.dataSync());
    };
    const before = native.threads();
    try {
      expect(run(3)).toEqual(run(1));
    } finally {
      native.setThreads(before);
    }
  });
});

describe('gradients of gradients', () => {
  it('second derivatives of every activation against differences of the first', () => {
    const dtype = 'float64';
    const [n, inputs, outputs] = [4, 5, 6];
    const extents = tensorOfArray(Int32Array.of(0, 5, 2, 4, 5, 3), [outputs]);
    for (const activation of names) {
      const next = fixture(21);
      const x = make(next(n * inputs), [n, inputs], dtype);
      const weight = make(next(outputs * inputs), [outputs, inputs], dtype);
      const bias = make(next(outputs), [outputs], dtype);
      const dy = make(next(n * outputs, 4), [n, outputs], dtype);
      const direction = next(outputs * inputs);
      const slope = () => {
        const { gradients } = valueAndGradient(
          () => sum(mul(maskedLinear(x, weight, bias, { extents, activation }), dy)),
          [x, weight, bias],
        );
        return gradients.map((g) => sum(mul(g as Tensor, g as Tensor))).reduce((a, b) => add(a, b));
      };
      const { gradients } = valueAndGradient(slope, [weight]);
      const h = 1e-5;
      const start = weight.dataSync() as Float64Array;
      const at = (t: number) => {
        weight.write(start.map((w, i) => w + t * (direction[i] ?? 0)));
        return slope().item();
      };
      const difference = (at(h) - at(-h)) / (2 * h);
      weight.write(start);
      const d = gradients[0]?.dataSync() as Float64Array;
      const along = d.reduce((s, v, i) => s + v * (direction[i] ?? 0), 0);
      expect(Math.abs(difference)).toBeGreaterThan(0.1);
      // h² of truncation and eps/h of rounding, both about 1e-10 of the value.
      expect(Math.abs(along / difference - 1), activation).toBeLessThan(1e-7);
    }
  });
});

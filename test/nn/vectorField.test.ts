import { describe, expect, it } from 'vitest';
import { VectorField, type VectorFieldOptions } from '../../lib/nn';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { randomize } from '../bijections/cases';
import { own } from '../disposables';
import { expectClose, fixture } from '../reference/close';
import { jacobian } from '../reference/differences';

function fieldOf(options: Partial<VectorFieldOptions> = {}): VectorField {
  const field = own(new VectorField({ features: 2, hidden: [5, 4], dtype: 'float64', ...options }));
  randomize(field, 7, 1.2);
  return field;
}

const rows = (values: Float64Array, width: number) =>
  own(tensorOfArray(values, [values.length / width, width]));

describe('a vector field', () => {
  it.each([
    [[4], 'concat', 'softplus'],
    [[5, 3], 'concatsquash', 'tanh'],
    [[5, 3], 'concat', 'swish'],
    [[4, 3, 5], 'concatsquash', 'elu'],
  ] as const)('has the trace of its Jacobian: %s, %s, %s', (hidden, time, activation) => {
    const field = fieldOf({ features: 3, hidden, time, activation, contextFeatures: 2 });
    const context = own(tensorOfArray(fixture(5)(2), [1, 2]));
    const point = fixture(6)(3);
    const value = (z: Float64Array) =>
      scope(() => {
        const at = field.open(context, 1).at([0.3, 0.7])[1]!;
        return field.linearize(at, tensorOfArray(z, [1, 3])).out.dataSync() as Float64Array;
      });
    const { values } = jacobian(value, point, 0.02);
    const { trace, products, same } = scope(() => {
      const here = field.linearize(field.open(context, 1).at([0.7])[0]!, rows(point, 3));
      const unit = (i: number) => Float64Array.from({ length: 3 }, (_, k) => (k === i ? 1 : 0));
      const moment = tensorOfArray(Float64Array.of(0.7), [1, 1]);
      return {
        trace: field.traceOf(here).item(),
        products: [0, 1, 2].map((i) => field.jvp(here, tensorOfArray(unit(i), [1, 3])).dataSync()),
        // The same field where rows have their own times.
        same: field.apply(rows(point, 3), moment, context).dataSync(),
      };
    });
    for (let j = 0; j < 3; j++)
      for (let i = 0; i < 3; i++) expect(products[j]![i]).toBeCloseTo(values[i * 3 + j]!, 7);
    expect(trace).toBeCloseTo(values[0]! + values[4]! + values[8]!, 7);
    expect(Math.abs(trace)).toBeGreaterThan(0.01);
    expectClose(same, value(point), 64, 'times by row');
  });
});

import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { ContinuousFlow, type OdeGradient, type OdeSolver } from '../../lib/bijections';
import { VectorField, type VectorFieldOptions } from '../../lib/nn';
import { add, mul, sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { own } from '../disposables';
import { expectClose } from '../reference/close';
import { goldenCases, values } from '../reference/goldens';
import { goldenTensor } from './load';

const cases = goldenCases('continuous');

describe.each(cases.map((row) => [row.name, row] as const))(
  'continuous golden %s',
  (_name, row) => {
    const flowOf = (use: OdeSolver, gradient: OdeGradient = 'direct') => {
      const field = new VectorField({
        ...(row.options as unknown as VectorFieldOptions),
        dtype: 'float64',
      });
      expect([...field.namedParameters().keys()].sort()).toEqual(Object.keys(row.params).sort());
      for (const [name, tensor] of field.namedParameters()) tensor.write(values(row.params[name]));
      return own(new ContinuousFlow({ field, use, gradient }));
    };
    const context = () => (row.rows ? goldenTensor(row.rows) : null);
    const fixed: OdeSolver = { method: 'rk4', steps: row.steps };
    // Twenty evaluations of three layers.
    const units = 500;

    it('y and log-det by steps of one size', () => {
      scope(() => {
        const { y, logDet } = flowOf(fixed).forward(goldenTensor(row.x), context());
        expectClose(y.dataSync(), values(row.y), units, 'y');
        expectClose(logDet.dataSync(), values(row.logDet), units, 'logDet');
      });
    });

    it.each(['direct', 'checkpoints', 'adjoint'] as const)('gradients: %s', (gradient) => {
      const flow = flowOf(fixed, gradient);
      const wanted = gradient === 'adjoint' ? row.adjoint : row.direct;
      scope(() => {
        const [x, rows] = [goldenTensor(row.x), context()];
        const weights = [goldenTensor(row.weights), goldenTensor(row.logDetWeights)] as const;
        const names = [...flow.field.namedParameters().keys(), 'x', ...(rows ? ['rows'] : [])];
        const leaves = [...flow.parameters(), x, ...(rows ? [rows] : [])];
        const { gradients } = valueAndGradient(() => {
          const { y, logDet } = flow.forward(x, rows);
          return add(sum(mul(y, weights[0])), sum(mul(logDet, weights[1])));
        }, leaves);
        for (const [k, name] of names.entries())
          expectClose(gradients[k]!.dataSync(), values(wanted[name]), 2 * units, `by ${name}`);
      });
    });

    it('the solution, by steps of the size that the error asks for', () => {
      scope(() => {
        const flow = flowOf({ method: 'dopri5', rtol: 1e-10, atol: 1e-10 });
        const { y, logDet } = flow.forward(goldenTensor(row.x), context());
        const worst = (found: ArrayLike<number>, wanted: Float64Array) =>
          Math.max(...wanted.map((value, i) => Math.abs(value - found[i]!)));
        expect(worst(y.dataSync(), values(row.solution.y))).toBeLessThan(5e-9);
        expect(worst(logDet.dataSync(), values(row.solution.logDet))).toBeLessThan(5e-9);
      });
    });
  },
);

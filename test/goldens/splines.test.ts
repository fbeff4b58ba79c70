import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import '../../lib/bijections';
import type { Bijection } from '../../lib/bijections';
import { build } from '../../lib/nn';
import { add, mul, spline, splineInverse, sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { expectClose } from '../reference/close';
import { type GoldenTensors, goldenCases, values } from '../reference/goldens';
import { goldenTensor } from './load';

const cases = goldenCases('splines').map((row) => [row.name, row] as const);

/** Sums of K exponentials, bins of some hundredths of the box: a thousand roundings of the largest of an array. */
const units = 4096;

function compare(
  row: { outputs: GoldenTensors; outputWeights: GoldenTensors; gradients: GoldenTensors },
  inputs: Record<string, Tensor>,
  run: () => { y: Tensor; logDet: Tensor },
): Tensor {
  const { y, logDet } = run();
  expectClose(y.dataSync(), values(row.outputs.y), units, 'y');
  expectClose(logDet.dataSync(), values(row.outputs.logDet), units, 'logDet', 1);
  const { gradients } = valueAndGradient(() => {
    const step = run();
    return add(
      sum(mul(step.y, goldenTensor(row.outputWeights.y))),
      sum(mul(step.logDet, goldenTensor(row.outputWeights.logDet))),
    );
  }, Object.values(inputs));
  Object.keys(inputs).forEach((name, k) => {
    const got = gradients[k]!.dataSync();
    const wanted = values(row.gradients[name]);
    const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expectClose(got, wanted, units, `gradient by ${name}`, largest);
  });
  return y;
}

describe('goldens', () => {
  it.each(cases)('%s', (_name, row) => {
    scope(() => {
      const inputs = { x: goldenTensor(row.inputs.x), params: goldenTensor(row.inputs.params) };
      const { x, params } = inputs;
      if (row.type === 'spline') {
        const y = compare(row, inputs, () => spline(x, params, row.options));
        const back = splineInverse(y, params, row.options);
        expectClose(back.x.dataSync(), x.dataSync(), 64 * units, 'inverse');
        return;
      }
      // A linear context network with the identity as its weight: the context is the numbers.
      const count = params.cols;
      const config = { ...row.config, features: x.cols, contextFeatures: count, dtype: 'float64' };
      const map = build(config) as Bijection;
      const [weight, bias] = map.parameters() as [Tensor, Tensor];
      expect(weight.shape).toEqual([count, count]);
      weight.write(Float64Array.from({ length: count ** 2 }, (_, k) => (k % (count + 1) ? 0 : 1)));
      bias.write(new Float64Array(count));
      const y = compare(row, inputs, () => map.forward(x, params));
      const back = map.inverse(y, params);
      expectClose(back.x.dataSync(), x.dataSync(), 64 * units, 'inverse');
      map.dispose();
    });
  });
});

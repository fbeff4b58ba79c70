import { describe, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { BatchNorm } from '../../lib/bijections';
import { add, mul, sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { expectClose } from '../reference/close';
import { type GoldenTensors, goldenCases, values } from '../reference/goldens';
import { goldenTensor, loadLayer } from './load';

// Two rows that nearly agree have a variance that cancels; the largest of the array is the scale.
const units = 200;

describe.each(goldenCases('batchNorm').map((row) => [row.name, row] as const))(
  'batch norm golden %s',
  (_name, row) => {
    it('outputs, statistics and gradients', () => {
      const { features, eps, params } = row.layer;
      // A momentum of 1: the running averages are the statistics of the batch.
      const layer = new BatchNorm({ features, epsilon: eps, momentum: 1, dtype: 'float64' });
      loadLayer(
        layer,
        params,
        Array.from({ length: features }, (_, k) => k),
      );
      const { mean, variance } = row.statistics;
      layer.train(row.mode === 'training');
      if (row.mode === 'evaluation') {
        layer.mean.write(values(mean));
        layer.variance.write(values(variance));
      }
      scope(() => {
        const x = goldenTensor(row.inputs.x);
        const { y, logDet } = layer.forward(x);
        expectClose(y.dataSync(), values(row.outputs.y), units, 'y');
        expectClose(logDet.dataSync(), values(row.outputs.logDet), units, 'logDet');
        expectClose(layer.mean.dataSync(), values(mean), units, 'mean');
        expectClose(layer.variance.dataSync(), values(variance), units, 'variance');
        const dy = goldenTensor(row.outputWeights.y);
        const dLogDet = goldenTensor(row.outputWeights.logDet);
        const { value, gradients } = valueAndGradient(() => {
          const out = layer.forward(x);
          return add(sum(mul(out.y, dy)), sum(mul(out.logDet, dLogDet)));
        }, [x, layer.logGamma, layer.beta]);
        expectClose(value.dataSync(), [row.loss], units, 'loss', 10);
        const golden: GoldenTensors = row.gradients;
        for (const [k, name] of ['x', 'logGamma', 'beta'].entries())
          expectClose(gradients[k]?.dataSync() ?? [], values(golden[name]), units, `d ${name}`);
      });
      layer.dispose();
    });
  },
);

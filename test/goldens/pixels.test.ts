import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { PixelCnn, PixelRnn } from '../../lib/models';
import { mul, sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { expectClose } from '../reference/close';
import { type GoldenPixelsCase, goldenCases, values } from '../reference/goldens';
import { goldenTensor } from './load';

function modelOf({ network, image, levels, layers, hidden, context }: GoldenPixelsCase) {
  const [height, width, channels] = image;
  const shared = {
    image: { height, width, channels },
    ...(levels === 2 ? { likelihood: 'bernoulli' as const } : { levels }),
    layers,
    hidden,
    firstKernel: 3,
    dtype: 'float64' as const,
  };
  if (network === 'row' || network === 'diagonal')
    return new PixelRnn({ ...shared, scan: network });
  return new PixelCnn({
    ...shared,
    gated: network === 'gated',
    ...(context && { contextFeatures: context.shape[1] as number }),
  });
}

describe('PixelCNN and PixelRNN are those of PyTorch', () => {
  it.each(goldenCases('pixels').map((row) => [row.name, row] as const))('%s', (_, row) => {
    scope(() => {
      using model = modelOf(row);
      const own = model.namedParameters();
      expect([...own.keys()].sort()).toEqual(Object.keys(row.params).sort());
      for (const [name, tensor] of own) tensor.write(values(row.params[name]));
      const x = goldenTensor(row.x);
      const context = row.context && goldenTensor(row.context);
      // Sums of some hundred products, layer after layer.
      expectClose(model.predict(x, context).dataSync(), values(row.logits), 256, 'logits');
      let logProb: ArrayLike<number> = [];
      const { gradients } = valueAndGradient(() => {
        const each = model.logProbOfRows(x, context);
        logProb = each.dataSync();
        return sum(mul(each, goldenTensor(row.outputWeights)));
      }, [...own.values()]);
      expectClose(logProb, values(row.logProb), 64, 'log p');
      [...own.keys()].forEach((name, k) => {
        // Many of a weight's entries are masked: exactly zero in both.
        const found = gradients[k]?.dataSync() ?? new Float64Array(own.get(name)!.size);
        expectClose(found, values(row.gradients[name]), 2048, `gradient by ${name}`);
      });
    });
  });
});

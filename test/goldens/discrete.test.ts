import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { categoricalLogProb, discretizedLogisticMixtureLogProb, mul, sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { expectClose } from '../reference/close';
import { goldenCases, values } from '../reference/goldens';
import { goldenTensor } from './load';

describe('discrete log-probabilities are those of PyTorch', () => {
  const cases = goldenCases('discrete');
  it('has both kinds', () => {
    expect(new Set(cases.map(({ kind }) => kind)).size).toBe(2);
  });

  it.each(cases.map((row) => [row.name, row] as const))('%s', (_, row) => {
    scope(() => {
      const params = goldenTensor(row.inputs.params);
      const x = goldenTensor(row.x);
      const weights = goldenTensor(row.outputWeights);
      const { positions, levels } = row;
      let found: ArrayLike<number> = [];
      const { gradients } = valueAndGradient(() => {
        const logProb =
          row.kind === 'categorical'
            ? categoricalLogProb(params, x, { positions })
            : discretizedLogisticMixtureLogProb(params, x, { positions, levels });
        found = logProb.dataSync();
        return sum(mul(logProb, weights));
      }, [params]);
      // PyTorch's derivative of a sigmoid, y(1 − y), cancels near 1; its difference of sigmoids loses half the
      // width of a bin in scales: about 1e4 of 65536 levels at scale e^−3.
      const units = row.kind === 'categorical' ? 16 : row.levels > 256 ? 2 ** 20 : 2 ** 14;
      expectClose(found, values(row.logProb), units, 'log p');
      expectClose(gradients[0]!.dataSync(), values(row.gradients.params), units, 'gradient');
    });
  });
});

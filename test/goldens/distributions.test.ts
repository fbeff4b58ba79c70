import { describe, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import {
  DiagonalNormal,
  GaussianMixture,
  Resampled,
  StandardLogistic,
  StandardNormal,
  StudentT,
  Uniform,
} from '../../lib/distributions';
import { bernoulliLogProb, div, exp, log, mul, neg, sub, sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { expectClose } from '../reference/close';
import { type GoldenDistributionCase, goldenCases, values } from '../reference/goldens';
import { goldenTensor } from './load';

type Leaves = Record<string, Tensor>;

/** A distribution with parameters of its own. */
function learned({ distribution, params }: GoldenDistributionCase, features: number) {
  const dtype = 'float64';
  if (distribution === 'normal') return new DiagonalNormal(features, dtype);
  if (distribution === 'studentT') return new StudentT({ features, dtype });
  if (distribution === 'mixtureOfGaussians')
    return new GaussianMixture(features, params.logits?.shape[0] as number, dtype);
  const network = { hidden: [5], activation: 'tanh' } as const;
  const base = new Resampled({ features, ...network, truncation: 4, dtype });
  base.normalizer.write(Float64Array.of(0.37));
  return base;
}

/** log p of the rows by the library's distribution, and the tensors to differentiate by, under the golden's names. */
function model(
  row: GoldenDistributionCase,
  given: Leaves,
): { leaves: Leaves; logProb: () => Tensor; dispose: () => void } {
  const x = given.x as Tensor;
  const D = x.cols;
  switch (row.distribution) {
    case 'standardNormal': {
      const base = new StandardNormal(D, 'float64');
      return { leaves: given, logProb: () => base.logProb(x), dispose: () => base.dispose() };
    }
    case 'normal':
    case 'studentT':
    case 'resampled':
    case 'mixtureOfGaussians': {
      const base = learned(row, D);
      const own = base.namedParameters();
      for (const [name, tensor] of own) tensor.write(values(row.params[name]));
      const leaves = { x, ...Object.fromEntries(own) };
      return { leaves, logProb: () => base.logProb(x), dispose: () => base.dispose() };
    }
    case 'logistic': {
      // Location and scale are a bijection in the library.
      const base = new StandardLogistic(D, 'float64');
      const { loc, logScale } = given as { loc: Tensor; logScale: Tensor };
      const logProb = () => sub(base.logProb(mul(sub(x, loc), exp(neg(logScale)))), sum(logScale));
      return { leaves: given, logProb, dispose: () => base.dispose() };
    }
    case 'uniform': {
      const base = new Uniform(D, 0, 1, 'float64');
      const { low, high } = given as { low: Tensor; high: Tensor };
      const logProb = () => {
        const width = sub(high, low);
        return sub(base.logProb(div(sub(x, low), width)), sum(log(width)));
      };
      return { leaves: given, logProb, dispose: () => base.dispose() };
    }
    case 'bernoulli': {
      const logits = given.logits as Tensor;
      return { leaves: { logits }, logProb: () => bernoulliLogProb(logits, x), dispose: () => {} };
    }
  }
}

// Sums of a few terms; in the tails of a mixture differences of squares of some hundred.
const units = 100;

describe.each(goldenCases('distributions').map((row) => [row.name, row] as const))(
  'distribution golden %s',
  (_name, row) => {
    it('log p and gradients', () => {
      scope(() => {
        const given = Object.fromEntries(
          Object.entries({ ...row.inputs, ...row.params }).map(([name, golden]) => [
            name,
            goldenTensor(golden),
          ]),
        );
        const { leaves, logProb, dispose } = model(row, given);
        const expected = values(row.outputs.logProb);
        expectClose(logProb().dataSync(), expected, units, 'log p');
        // Rows outside of the support count nothing.
        const weights = values(row.outputWeights).map((w, n) =>
          Number.isFinite(expected[n]) ? w : 0,
        );
        const names = Object.keys(leaves);
        const { gradients } = valueAndGradient(
          () => sum(mul(logProb(), goldenTensor({ shape: [weights.length], data: [...weights] }))),
          Object.values(leaves),
        );
        names.forEach((name, k) => {
          const golden = values(row.gradients[name]);
          const found = gradients[k]?.dataSync() ?? new Float64Array(golden.length);
          expectClose(found, golden, units, `d ${name}`);
        });
        dispose();
      });
    });
  },
);

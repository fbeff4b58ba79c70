import { describe, expect, it } from 'vitest';
import { expectClose } from './close';
import { gradient } from './differences';
import {
  bernoulliLogProb,
  logisticLogProb,
  mixtureOfGaussiansLogProb,
  normalLogProb,
  resampledLogProb,
  standardNormalLogProb,
  studentTLogProb,
  uniformLogProb,
} from './distributions';
import { type GoldenDistributionCase, goldenCases, parameterArrays, values } from './goldens';
import { integrate1d, integrate2d } from './quadrature';

function logProb(
  kind: GoldenDistributionCase['distribution'],
  x: Float64Array,
  n: number,
  p: Record<string, Float64Array>,
) {
  switch (kind) {
    case 'standardNormal':
      return standardNormalLogProb(x, n);
    case 'normal':
      return normalLogProb(x, n, p.loc!, p.logScale!);
    case 'logistic':
      return logisticLogProb(x, n, p.loc!, p.logScale!);
    case 'uniform':
      return uniformLogProb(x, n, p.low!, p.high!);
    case 'mixtureOfGaussians':
      return mixtureOfGaussiansLogProb(x, n, p.logits!, p.loc!, p.logScale!);
    case 'studentT':
      return studentTLogProb(x, n, p.logDegrees!);
    case 'resampled':
      return resampledLogProb(x, n, p, { truncation: 4, normalizer: 0.37 });
    case 'bernoulli':
      return bernoulliLogProb(x, n, p.logits!);
  }
}

describe('distributions', () => {
  it.each(goldenCases('distributions').map((c) => [c.name, c] as const))(
    '%s: log p of PyTorch',
    (_, golden) => {
      const x = values(golden.inputs.x);
      const n = golden.inputs.x.shape[0]!;
      const p = parameterArrays(golden);
      const actual = logProb(golden.distribution, x, n, p);
      expectClose(actual, values(golden.outputs.logProb), 32, 'logProb');
      if (golden.name.includes('tails') || golden.name.includes('outside')) return;
      const weights = values(golden.outputWeights);
      const f = (point: Float64Array) =>
        logProb(golden.distribution, point, n, p).reduce((s, v, row) => s + v * weights[row]!, 0);
      // The step stays inside the support of the uniform; 1e6 eps is what differences leave.
      if (golden.distribution !== 'bernoulli') {
        expectClose(gradient(f, x, 1e-3).values, values(golden.gradients.x), 1e6, 'dx', 1);
      }
      for (const [name, parameter] of Object.entries(p)) {
        const moved = (point: Float64Array) =>
          logProb(golden.distribution, x, n, { ...p, [name]: point }).reduce(
            (s, v, row) => s + v * weights[row]!,
            0,
          );
        const { values: numeric } = gradient(moved, parameter, 1e-3);
        expectClose(numeric, values(golden.gradients[name]), 1e7, name, 1);
      }
    },
  );

  it('integrates to one', () => {
    const exp = (v: Float64Array) => v.map(Math.exp);
    const one = (f: (x: Float64Array) => Float64Array, from: number, to: number) =>
      integrate1d((x) => exp(f(x)), from, to, 200);
    expect(one((x) => normalLogProb(x, x.length, [0.7], [-0.4]), -12, 12)).toBeCloseTo(1, 12);
    expect(one((x) => logisticLogProb(x, x.length, [-1.5], [0.3]), -60, 60)).toBeCloseTo(1, 12);
    expect(one((x) => uniformLogProb(x, x.length, [-1], [2]), -1, 2)).toBeCloseTo(1, 12);
    const mixture = (x: Float64Array) =>
      mixtureOfGaussiansLogProb(
        x,
        x.length / 2,
        [0.3, -1],
        [1, -2, -0.5, 0.5],
        [-0.3, 0.2, 0.1, -0.6],
      );
    expect(integrate2d((x) => exp(mixture(x)), -10, 10, 24)).toBeCloseTo(1, 10);
  });
});

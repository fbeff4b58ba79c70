import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { BernoulliMade } from '../../lib/models';
import { Made } from '../../lib/nn';
import { type Activation, mean, mul, neg, sum } from '../../lib/ops';
import { memory } from '../../lib/runtime';
import { scope } from '../../lib/tensor/scope';
import { expectClose } from '../reference/close';
import { type GoldenTensor, type GoldenTensors, goldenCases, values } from '../reference/goldens';
import { goldenTensor, inLibraryOrder, loadLayer, orderOf } from './load';

// Sums of some dozen products; the largest of the array is the scale.
const units = 100;

/** Degrees from 1 with a context: the library's networks then have degrees from 0 (case `context-degree-zero`). */
const otherDegrees = ['context'];
const cases = goldenCases('made').filter((row) => !otherDegrees.includes(row.name));

describe.each(cases.map((row) => [row.name, row] as const))('MADE golden %s', (_name, row) => {
  it('outputs and gradients', () => {
    const before = memory().buffers;
    const {
      features,
      hidden,
      outputsPerFeature,
      contextFeatures,
      direct,
      activation,
      inputDegrees,
    } = row.made;
    const order = orderOf(inputDegrees);
    const made = new Made({
      features,
      hidden,
      outputsPerFeature,
      contextFeatures,
      direct,
      activation: activation as Activation,
      order,
      dtype: 'float64',
    });
    loadLayer(made, row.made.params, order, outputsPerFeature);
    scope(() => {
      const x = goldenTensor(row.inputs.x);
      const context = row.inputs.context ? goldenTensor(row.inputs.context) : null;
      const weights = goldenTensor(row.outputWeights);
      expectClose(made.apply(x, context).dataSync(), values(row.outputs.y), units, 'y');
      const named = [...made.namedParameters()];
      const { value, gradients } = valueAndGradient(
        () => sum(mul(made.apply(x, context), weights)),
        [x, ...named.map(([, tensor]) => tensor), ...(context ? [context] : [])],
      );
      expectClose(value.dataSync(), [row.loss], units, 'loss', 10);
      const golden: GoldenTensors = row.gradients;
      expectClose(gradients[0]?.dataSync() ?? [], values(golden.x), units, 'dx');
      named.forEach(([name], k) => {
        const expected = inLibraryOrder(
          name,
          golden[name] as GoldenTensor,
          order,
          outputsPerFeature,
        );
        expectClose(gradients[k + 1]?.dataSync() ?? [], expected, units, `d ${name}`);
      });
      if (context)
        expectClose(gradients.at(-1)?.dataSync() ?? [], values(golden.context), units, 'd context');
    });
    made.dispose();
    expect(memory().buffers).toBe(before);
  });
});

// The library's orders are natural or random; given ones are tested with Made above.
const bernoulli = goldenCases('bernoulliMade').filter((row) => row.made.inputDegrees[0] === 1);

describe.each(bernoulli.map((row) => [row.name, row] as const))(
  'Bernoulli MADE golden %s',
  (_name, row) => {
    it('log p and gradients', () => {
      const { features, hidden, direct, activation, inputDegrees } = row.made;
      const order = orderOf(inputDegrees);
      const model = new BernoulliMade({
        features,
        hidden,
        direct,
        activation: activation as Activation,
        dtype: 'float64',
      });
      loadLayer(model, row.made.params, order, 1);
      scope(() => {
        const x = goldenTensor(row.inputs.x);
        const logProb = model.logProbOfRows(x).dataSync();
        expectClose(logProb, values(row.outputs.logProb), units, 'log p');
        const named = [...model.namedParameters()];
        const { value, gradients } = valueAndGradient(
          () => neg(mean(model.logProbOfRows(x))),
          named.map(([, tensor]) => tensor),
        );
        expectClose(value.dataSync(), [row.outputs.loss], units, 'loss');
        named.forEach(([name], k) => {
          const expected = inLibraryOrder(name, row.gradients[name] as GoldenTensor, order, 1);
          expectClose(gradients[k]?.dataSync() ?? [], expected, units, `d ${name}`);
        });
      });
      model.dispose();
    });
  },
);

it('covers what it says', () => {
  expect(cases.map((row) => row.name)).toEqual([
    'one-hidden-relu',
    'two-hidden-relu',
    'two-hidden-tanh-reversed',
    'given-order-elu',
    'context-degree-zero',
    'direct',
    'one-feature',
    'masked-garbage',
  ]);
  expect(bernoulli.map((row) => row.name)).toEqual(['one-hidden']);
});

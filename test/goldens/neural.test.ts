/** Neural autoregressive and block autoregressive flows against PyTorch, whose slopes are derivatives by autograd. */
import { afterAll, describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { Autoregressive, BlockAutoregressive, MonotoneTransformer } from '../../lib/bijections';
import { StandardNormal } from '../../lib/distributions';
import { Flow } from '../../lib/flows';
import { mean, monotoneParams, neg } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { expectClose } from '../reference/close';
import { type GoldenNeural, goldenCases, values } from '../reference/goldens';
import { goldenTensor, loadLayer } from './load';

function build({ family, config, params }: GoldenNeural) {
  const { features, hidden, contextFeatures = 0 } = config;
  const options = { features, hidden, contextFeatures, dtype: 'float64' } as const;
  const bijection = family
    ? new Autoregressive({
        ...options,
        activation: 'tanh',
        transformer: new MonotoneTransformer(family),
      })
    : new BlockAutoregressive(options);
  const network = bijection instanceof Autoregressive ? bijection.made : bijection;
  const natural = Array.from({ length: features }, (_, i) => i);
  loadLayer(network, params, natural, family && monotoneParams(family));
  return { network, flow: new Flow({ base: new StandardNormal(features, 'float64'), bijection }) };
}

// Networks of some ten terms, then sums of sigmoids; their logarithms differ by formula, not by more than some hundred roundings.
const units = 1000;

describe.each(goldenCases('neural').map((row) => [row.name, row] as const))('%s', (_, row) => {
  const { network, flow } = build(row);
  afterAll(() => flow.dispose());

  it('y, log-det, log p and the gradient', () => {
    scope(() => {
      const x = goldenTensor(row.inputs.x);
      const context = row.inputs.context ? goldenTensor(row.inputs.context) : null;
      const { y, logDet } = flow.bijection.forward(x, context);
      expectClose(y.dataSync(), values(row.outputs.noise), units, 'y');
      expectClose(logDet.dataSync(), values(row.outputs.logDet), units, 'log-det');
      const score = () => flow.logProbOfRows(x, context, 'model');
      expectClose(score().dataSync(), values(row.outputs.logProb), units, 'log p');
      const named = [...network.namedParameters()];
      const inputs = [x, ...(context ? [context] : [])];
      const { gradients } = valueAndGradient(
        () => neg(mean(score())),
        [...named.map(([, tensor]) => tensor), ...inputs],
      );
      named.forEach(([name], k) => {
        expectClose(
          gradients[k]?.dataSync() ?? [],
          values(row.gradients.params[name]),
          units,
          `d ${name}`,
        );
      });
      ['x', ...(context ? ['context'] : [])].forEach((name, k) => {
        const got = gradients[named.length + k]?.dataSync() ?? [];
        expectClose(got, values(row.gradients.inputs[name]), units, `d ${name}`);
      });
    });
  });

  it('goes back', () => {
    scope(() => {
      const context = row.inputs.context ? goldenTensor(row.inputs.context) : null;
      const { x, logDet, solve } = flow.bijection.inverse(goldenTensor(row.outputs.noise), context);
      expectClose(x.dataSync(), values(row.inputs.x), 10 * units, 'x');
      const expected = values(row.outputs.logDet).map((v) => -v);
      expectClose(logDet.dataSync(), expected, 10 * units, 'log-det');
      expect([...(solve?.converged.dataSync() ?? [])].every((flag) => flag === 1)).toBe(true);
    });
  });
});

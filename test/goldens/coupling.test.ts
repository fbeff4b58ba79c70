import { afterAll, describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import type { CouplingScaleOption } from '../../lib/bijections';
import { type Flow, nice, realnvp } from '../../lib/flows';
import { add, affineCoupling, affineCouplingInverse, mean, mul, neg, sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { expectClose } from '../reference/close';
import {
  type GoldenCouplingFlow,
  type GoldenCouplingKernel,
  type GoldenTensors,
  goldenCases,
  values,
} from '../reference/goldens';
import { takeAdamSteps } from './adamSteps';
import { goldenTensor } from './load';

const cases = goldenCases('coupling');
const kernels = cases.filter((row): row is GoldenCouplingKernel => row.type === 'kernel');
const flows = cases.filter((row): row is GoldenCouplingFlow => row.type === 'flow');

describe('the affine coupling', () => {
  it.each(kernels.map((row) => [row.name, row] as const))('%s', (_name, row) => {
    scope(() => {
      const [x, params] = [goldenTensor(row.inputs.x), goldenTensor(row.inputs.params)];
      const gain = row.inputs.gain ? goldenTensor(row.inputs.gain) : null;
      const options = { ...row.options, gain };
      const run = () => {
        if (!row.inverse) return affineCoupling(x, params, options);
        const { x: y, logDet } = affineCouplingInverse(x, params, options);
        return { y, logDet };
      };
      const { y, logDet } = run();
      // A few functions of 2 ulp, |log s| up to 4, and a dozen terms.
      expectClose(y.dataSync(), values(row.outputs.y), 40, 'y');
      expectClose(logDet.dataSync(), values(row.outputs.logDet), 40, 'logDet', 1);
      const by = gain ? [x, params, gain] : [x, params];
      const { gradients } = valueAndGradient(() => {
        const made = run();
        const terms = [
          sum(mul(made.y, goldenTensor(row.outputWeights.y))),
          sum(mul(made.logDet, goldenTensor(row.outputWeights.logDet))),
        ] as [Tensor, Tensor];
        return add(...terms);
      }, by);
      const names = ['x', 'params', 'gain'] as const;
      gradients.forEach((gradient, k) => {
        const name = names[k] as string;
        expectClose(gradient?.dataSync() ?? [], values(row.gradients[name]), 80, `d${name}`);
      });
    });
  });

  it('has each scale map in both directions, by columns, positions and checkerboard', () => {
    const seen = kernels.map(({ name }) => name);
    for (const kind of ['additive', 'exp', 'tanh', 'sigmoid', 'doubleSigmoid', 'atan'])
      for (const way of ['forward', 'inverse'])
        for (const part of ['columns', 'positions', 'checkerboard'])
          expect(seen).toContain(`${kind}-${way}-${part}`);
  });
});

function build(row: GoldenCouplingFlow): Flow {
  const { recipe, features, transforms, hidden, contextFeatures, scale: kind } = row.config;
  const common = { features, transforms, hidden, contextFeatures, dtype: 'float64' } as const;
  const scale: CouplingScaleOption = kind === 'atan' ? { kind, bound: row.config.bound } : { kind };
  const flow = recipe === 'nice' ? nice(common) : realnvp({ ...common, scale });
  load(flow, row.params);
  return flow;
}

function load(flow: Flow, params: GoldenTensors): void {
  const own = flow.bijection.namedParameters();
  expect([...own.keys()].sort()).toEqual(Object.keys(params).sort());
  for (const [name, tensor] of own) tensor.write(values(params[name]));
}

// Sums of some ten terms, then a factor of up to e a layer; the largest of the array is the scale.
const units = 400;

describe.each(flows.map((row) => [row.name, row] as const))('coupling golden %s', (_name, row) => {
  const flow = build(row);
  afterAll(() => flow.dispose());

  it('noise, log p and its gradient', () => {
    scope(() => {
      const x = goldenTensor(row.inputs.x);
      const context = row.inputs.context ? goldenTensor(row.inputs.context) : null;
      const { y, logDet } = flow.bijection.forward(x, context);
      expectClose(y.dataSync(), values(row.outputs.noise), units, 'noise');
      expectClose(logDet.dataSync(), values(row.outputs.logDet), units, 'logDet', 1);
      const back = flow.bijection.inverse(goldenTensor(row.outputs.noise), context).x;
      expectClose(back.dataSync(), values(row.inputs.x), units, 'back');
      const loss = () => neg(mean(flow.logProbOfRows(x, context, 'model')));
      const logProb = flow.logProbOfRows(x, context, 'model');
      expectClose(logProb.dataSync(), values(row.outputs.logProb), units, 'log p');
      const named = [...flow.bijection.namedParameters()];
      const by = [...named.map(([, tensor]) => tensor), x, ...(context ? [context] : [])];
      const { gradients } = valueAndGradient(loss, by);
      named.forEach(([name], k) => {
        const golden = values(row.gradients.params[name]);
        expectClose(gradients[k]?.dataSync() ?? [], golden, units, `d ${name}`);
      });
      const dx = gradients[named.length]?.dataSync() ?? [];
      expectClose(dx, values(row.gradients.inputs.x), units, 'dx');
      if (context) {
        const dContext = gradients[named.length + 1]?.dataSync() ?? [];
        expectClose(dContext, values(row.gradients.inputs.context), units, 'dContext');
      }
    });
  });

  it.each([true, false])('parameters after ten Adam steps, compiled: %s', (compile) => {
    const trained = build(row);
    takeAdamSteps(
      trained,
      row.training,
      (x, context) => neg(mean(trained.logProbOfRows(x, context, 'model'))),
      { compile, close: [1000] },
    );
    for (const [name, tensor] of trained.bijection.namedParameters()) {
      // The 1e-10, relative to the largest value of the tensor.
      expectClose(tensor.dataSync(), values(row.training.params[name]), 1e-10 / 2 ** -52, name);
    }
    trained.dispose();
  });
});

it('has a RealNVP with and without context, and a NICE', () => {
  const kinds = flows.map(({ config }) => [config.recipe, config.contextFeatures > 0]);
  expect(kinds).toEqual([
    ['realnvp', false],
    ['realnvp', true],
    ['realnvp', false],
    ['nice', false],
  ]);
});

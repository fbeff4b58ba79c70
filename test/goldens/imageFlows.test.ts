/** Whole image flows against PyTorch in float64: log p, gradients, ten Adam steps. */
import { afterAll, describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import {
  type Flow,
  type GlowOptions,
  glow,
  type RealNvpImageOptions,
  realnvpImage,
} from '../../lib/flows';
import { mean, neg } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { expectClose } from '../reference/close';
import { type GoldenImageFlow, goldenCases, values } from '../reference/goldens';
import { takeAdamSteps } from './adamSteps';
import { goldenTensor } from './load';

const cases = goldenCases('imageFlows');

function build({ recipe, config, params, state }: GoldenImageFlow): Flow {
  const options = {
    ...config,
    preprocessing: null,
    dequantization: null,
    dtype: 'float64',
  } as const;
  const flow =
    recipe === 'glow'
      ? glow({ networkActNorm: false, ...options } as unknown as GlowOptions)
      : realnvpImage(options as unknown as RealNvpImageOptions);
  const own = flow.namedParameters();
  expect([...own.keys()].sort()).toEqual(Object.keys(params).sort());
  for (const [name, tensor] of own) tensor.write(values(params[name]));
  const held = flow.namedState();
  for (const [name, golden] of Object.entries(state)) {
    const tensor = held.get(name);
    expect(tensor, name).toBeDefined();
    const array = values(golden);
    tensor?.write(tensor.dtype === 'int32' ? Int32Array.from(array) : array);
  }
  return flow;
}

// Networks of three layers in a chain of up to a dozen maps, each with a factor of up to e.
const units = 2000;

describe.each(cases.map((row) => [row.name, row] as const))('image flow golden %s', (_, row) => {
  const flow = build(row);
  afterAll(() => flow.dispose());
  const inputs = (tensors: GoldenImageFlow['inputs']) => ({
    x: goldenTensor(tensors.x),
    context: tensors.context ? goldenTensor(tensors.context) : null,
  });

  it('noise, log-det and log p, and back', () => {
    scope(() => {
      const { x, context } = inputs(row.inputs);
      const { y, logDet } = flow.forward(x, context);
      expectClose(y.dataSync(), values(row.use.noise), units, 'noise');
      expectClose(logDet.dataSync(), values(row.use.logDet), units, 'log-det');
      const logProb = flow.logProb(x, context);
      expectClose(logProb.dataSync(), values(row.use.logProb), units, 'log p');
      const back = flow.inverse(goldenTensor(row.use.noise), context);
      expectClose(back.x.dataSync(), values(row.inputs.x), units, 'x');
      const negated = back.logDet.dataSync().map((value) => -value);
      expectClose(negated, values(row.use.logDet), units, 'log-det back');
    });
  });

  it('log p of a batch in training, and gradients', () => {
    const trained = build(row).train(true);
    scope(() => {
      const { x, context } = inputs(row.inputs);
      const named = trained.namedParameters();
      const logProb = trained.logProbOfRows(x, context, 'model');
      expectClose(logProb.dataSync(), values(row.outputs.logProb), units, 'log p');
      const { value, gradients } = valueAndGradient(
        () => neg(mean(trained.logProbOfRows(x, context, 'model'))),
        [x, ...named.values()],
      );
      expectClose(value.dataSync(), [row.outputs.loss], units, 'loss');
      expectClose(gradients[0]?.dataSync() ?? [], values(row.gradients.inputs.x), units, 'dx');
      for (const [k, name] of [...named.keys()].entries()) {
        const got = gradients[k + 1]?.dataSync() ?? [];
        // Sums of terms of about 1, some of which cancel: what batch norm takes away has no gradient.
        expectClose(got, values(row.gradients.params[name]), units, `d ${name}`, 1);
      }
    });
    trained.dispose();
  });

  it.each([true, false])('parameters after ten Adam steps, compiled: %s', (compile) => {
    const trained = build(row);
    const { params } = row.training;
    takeAdamSteps(
      trained,
      row.training,
      (x, context) => neg(mean(trained.logProbOfRows(x, context, 'model'))),
      { compile, close: [4 * units] },
    );
    // Adam divides by √v: where a gradient is small, its rounding counts.
    // And where it is nothing but rounding (a bias before batch norm), that decides where Adam goes.
    let compared = 0;
    for (const [name, tensor] of trained.namedParameters()) {
      const moved = values(row.gradients.params[name]).map((value) =>
        Number(Math.abs(value) > 1e-12),
      );
      const kept = (all: ArrayLike<number>) =>
        Float64Array.from(all).filter((_, i) => moved[i] === 1);
      expectClose(kept(tensor.dataSync()), kept(values(params[name])), 1e5, name);
      compared += kept(moved).length / tensor.size;
    }
    expect(compared).toBeGreaterThan(0.8 * trained.parameters().length);
    trained.dispose();
  });
});

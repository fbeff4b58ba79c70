/** Whole image flows against PyTorch in float64: log p, gradients, ten Adam steps. */
import { afterAll, describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { type Flow, type GlowOptions, glow } from '../../lib/flows';
import { mean, neg, RandomStream } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { adam } from '../../lib/train/optimizer';
import { Learner, Step } from '../../lib/train/step';
import { expectClose } from '../reference/close';
import { type GoldenImageFlow, goldenCases, values } from '../reference/goldens';
import { goldenTensor } from './load';

const cases = goldenCases('imageFlows');

function build({ config, params, state }: GoldenImageFlow): Flow {
  const flow = glow({
    ...(config as unknown as GlowOptions),
    preprocessing: null,
    dequantization: null,
    dtype: 'float64',
  });
  const own = flow.namedParameters();
  expect([...own.keys()].sort()).toEqual(Object.keys(params).sort());
  for (const [name, tensor] of own) tensor.write(values(params[name]));
  const held = flow.namedState();
  for (const [name, golden] of Object.entries(state)) {
    const tensor = held.get(name);
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
      expectClose(y.dataSync(), values(row.outputs.noise), units, 'noise');
      expectClose(logDet.dataSync(), values(row.outputs.logDet), units, 'log-det');
      const logProb = flow.logProb(x, context);
      expectClose(logProb.dataSync(), values(row.outputs.logProb), units, 'log p');
      const back = flow.inverse(goldenTensor(row.outputs.noise), context);
      expectClose(back.x.dataSync(), values(row.inputs.x), units, 'x');
      const negated = back.logDet.dataSync().map((value) => -value);
      expectClose(negated, values(row.outputs.logDet), units, 'log-det back');
    });
  });

  it('gradients', () => {
    scope(() => {
      const { x, context } = inputs(row.inputs);
      const named = flow.namedParameters();
      const { value, gradients } = valueAndGradient(
        () => neg(mean(flow.logProbOfRows(x, context, 'model'))),
        [x, ...named.values()],
      );
      expectClose(value.dataSync(), [row.outputs.loss], units, 'loss');
      expectClose(gradients[0]?.dataSync() ?? [], values(row.gradients.inputs.x), units, 'dx');
      for (const [k, name] of [...named.keys()].entries()) {
        const got = gradients[k + 1]?.dataSync() ?? [];
        expectClose(got, values(row.gradients.params[name]), units, `d ${name}`);
      }
    });
  });

  it.each([true, false])('parameters after ten Adam steps, compiled: %s', (compile) => {
    const trained = build(row);
    const { optimizer, batches, losses, params } = row.training;
    const { lr, beta1, beta2, eps } = optimizer;
    const stream = new RandomStream(0);
    const learner = new Learner(trained, {
      optimizer: adam({ lr, beta1, beta2, eps }),
      clipNorm: Infinity,
      ema: null,
      stream,
      compile,
    });
    const { x, context } = inputs(batches[0] ?? {});
    const loss = () => neg(mean(trained.logProbOfRows(x, context, 'model')));
    const step = new Step(learner, loss, 1);
    for (const [k, batch] of batches.entries()) {
      x.write(values(batch.x));
      if (batch.context) context?.write(values(batch.context));
      expect(step.run()).toBe(true);
      expectClose([step.lastLoss], [losses[k] as number], 4 * units, `loss ${k}`);
    }
    // Adam divides by √v: where a gradient is small, its rounding counts.
    for (const [name, tensor] of trained.namedParameters())
      expectClose(tensor.dataSync(), values(params[name]), 1e5, name);
    step.dispose();
    learner.dispose();
    for (const tensor of [x, context]) tensor?.dispose();
    stream.dispose();
    trained.dispose();
  });
});

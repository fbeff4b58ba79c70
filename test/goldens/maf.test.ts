import { afterAll, describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import type { Chain } from '../../lib/bijections/chain';
import { MaskedAutoregressive } from '../../lib/bijections/maskedAutoregressive';
import { maf } from '../../lib/flows/autoregressive';
import type { Flow } from '../../lib/flows/flow';
import { mean, neg } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { calibrate } from '../../lib/train/calibrate';
import { Pacer } from '../../lib/train/pause';
import { RowSet } from '../../lib/train/rowSet';
import { expectClose } from '../reference/close';
import {
  type GoldenMade,
  type GoldenMafCase,
  type GoldenTensor,
  goldenCases,
  values,
} from '../reference/goldens';
import { takeAdamSteps } from './adamSteps';
import { goldenTensor, inLibraryOrder, loadLayer, pairLayers } from './load';

/**
 * Degrees from 1 with a context: the library gives such networks units of degree 0, so that the context reaches the
 * first dimension; the case `maf3-context-degree-zero` has them.
 */
const otherDegrees = 'maf3-context';
const cases = goldenCases('maf').filter((row) => row.name !== otherDegrees);

function build(row: GoldenMafCase): Flow {
  const { features, transforms, hidden, contextFeatures, boundA, batchNorm } = row.config;
  const flow = maf({
    features,
    transforms,
    hidden,
    contextFeatures,
    batchNorm,
    scale: boundA === 'tanh' ? { kind: 'tanh', bound: 1 } : { kind: 'none' },
    dtype: 'float64',
  });
  for (const { module, golden, order } of layersOf(flow, row))
    loadLayer(module, golden.params, order);
  return flow;
}

function layersOf(flow: Flow, row: GoldenMafCase) {
  return pairLayers((flow.bijection as Chain).bijections, row.layers);
}

// Sums of some hundred terms, then a factor exp(-a) a layer; the largest of the array is the scale.
const units = 400;

describe.each(cases.map((row) => [row.name, row] as const))('MAF golden %s', (_name, row) => {
  const flow = build(row);
  afterAll(() => flow.dispose());

  it('has the degrees of the golden', () => {
    const mades = (flow.bijection as Chain).bijections.filter(
      (bijection) => bijection instanceof MaskedAutoregressive,
    );
    const goldens = row.layers.filter((layer) => layer.type === 'made') as GoldenMade[];
    mades.forEach(({ made }, k) => {
      const degrees = goldens[k]?.hiddenDegrees[0] ?? [];
      const seen = degrees.map((degree) => Math.max(0, degree));
      expect([...(made.hiddenLayers[0]?.extentsArray ?? [])]).toEqual(seen);
    });
  });

  it('log p and its gradient', () => {
    flow.train(true);
    scope(() => {
      const x = goldenTensor(row.inputs.x);
      const context = row.inputs.context ? goldenTensor(row.inputs.context) : null;
      expectClose(
        flow.logProbOfRows(x, context, 'model').dataSync(),
        values(row.outputs.logProb),
        units,
        'log p',
      );
      const parameters = flow.parameters();
      const { gradients } = valueAndGradient(
        () => neg(mean(flow.logProbOfRows(x, context, 'model'))),
        [...parameters, x],
      );
      expectClose(gradients.at(-1)?.dataSync() ?? [], values(row.gradients.inputs.x), units, 'dx');
      const gradientOf = new Map(parameters.map((tensor, k) => [tensor.id, gradients[k]]));
      layersOf(flow, row).forEach(({ module, order }, k) => {
        for (const [name, tensor] of module.namedParameters()) {
          const golden = row.gradients.layers[k]?.[name] as GoldenTensor;
          expectClose(
            gradientOf.get(tensor.id)?.dataSync() ?? [],
            inLibraryOrder(name, golden, order),
            units,
            `d ${k}.${name}`,
          );
        }
      });
    });
    flow.train(false);
  });

  it.each([true, false])('parameters after ten Adam steps, compiled: %s', (compile) => {
    const trained = build(row);
    const { layers } = row.training;
    takeAdamSteps(
      trained,
      row.training,
      (x, context) => neg(mean(trained.logProbOfRows(x, context, 'model'))),
      { compile, close: [1000] },
    );
    layersOf(trained, row).forEach(({ module, order }, k) => {
      for (const [name, tensor] of module.namedParameters()) {
        const actual = tensor.dataSync();
        const golden = inLibraryOrder(name, layers[k]?.[name] as GoldenTensor, order);
        if (row.config.batchNorm && name === 'output.bias') {
          // Batch norm takes away the shift of the first dimension: its gradient is 0 but for rounding (1e-17), which
          // Adam divides by eps = 1e-8, ten times lr = 1e-3. So both must be where they started, to that noise.
          const start = inLibraryOrder(name, row.layers[k]?.params[name] as GoldenTensor, order);
          expect(Math.abs((actual[0] as number) - (start[0] as number))).toBeLessThan(1e-9);
          expect(Math.abs((golden[0] as number) - (start[0] as number))).toBeLessThan(1e-9);
          golden[0] = actual[0] as number;
        }
        // The 1e-10, relative to the largest value of the tensor.
        expectClose(actual, golden, 1e-10 / 2 ** -52, `${k}.${name}`);
      }
    });
    trained.dispose();
  });
});

const evaluated = cases.filter((row) => row.evaluation);

it.each(evaluated.map((row) => [row.name, row] as const))(
  '%s: log p with the statistics of the whole training set',
  async (_name, row) => {
    const used = build(row);
    const all = row.training.batches.flatMap((batch) => [...values(batch.x)]);
    const train = new RowSet('test', 'train', used, Float64Array.from(all));
    await calibrate(used, train, 0, new Pacer());
    scope(() => {
      const logProb = used.logProbOfRows(goldenTensor(row.inputs.x), null, 'data').dataSync();
      expectClose(logProb, values(row.evaluation?.logProb), units, 'log p');
    });
    train.dispose();
    used.dispose();
  },
);

it('covers every case but the one of other degrees', () => {
  expect(cases.map((row) => row.name)).toEqual([
    'maf3-tanh',
    'maf3-unbounded',
    'maf3-context-degree-zero',
    'maf3-batch-norm',
  ]);
  expect(evaluated.map((row) => row.name)).toEqual(['maf3-batch-norm']);
});

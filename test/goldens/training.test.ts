/** Whole trainings against PyTorch: residual MADEs with a context and batch norm, Adam, clipped norms, a schedule, averages. */
import { describe, expect, it } from 'vitest';
import { maf } from '../../lib/flows';
import { adam, adamW, cosine, fit } from '../../lib/train';
import { expectClose } from '../reference/close';
import {
  type GoldenTensors,
  type GoldenTrainingCase,
  goldenCases,
  values,
} from '../reference/goldens';

const steps = 10;

async function trained(row: GoldenTrainingCase, options: { readonly ema?: number }) {
  const flow = maf({
    features: 4,
    hidden: [7, 7, 7],
    transforms: 2,
    contextFeatures: 2,
    residual: true,
    direct: true,
    batchNorm: true,
    activation: 'tanh',
    scale: { kind: 'softClamp', bound: 3 },
    dtype: 'float64',
  });
  for (const [name, parameter] of flow.namedParameters())
    parameter.write(values(row.initial[name]));
  const { kind, ...settings } = row.optimizer;
  const losses: number[] = [];
  await fit(flow, values(row.x), {
    context: values(row.context),
    batchSize: 16,
    steps,
    optimizer: (kind === 'adamW' ? adamW : adam)({ ...settings, beta2: 0.99 }),
    schedule: cosine({ steps: steps - 2 }, { final: 0.1 }),
    clipNorm: row.clipNorm,
    onStep: ({ loss }) => void losses.push(loss),
    ...options,
  });
  const parameters = new Map([...flow.namedParameters()].map(([name, t]) => [name, t.dataSync()]));
  flow.dispose();
  return { losses, parameters };
}

function expectParameters(found: ReadonlyMap<string, ArrayLike<number>>, wanted: GoldenTensors) {
  expect([...found.keys()].sort()).toEqual(Object.keys(wanted).sort());
  for (const [name, array] of found) {
    // Batch norm takes a shift of all rows away: the biases of the means have no gradient, and Adam makes steps of its rounding.
    const counts = (_: unknown, i: number) => !name.endsWith('output.bias') || i % 2 === 1;
    // 2e-13 of the largest of the tensor: ten steps of sums over 16 rows.
    expectClose(
      Array.from(array).filter(counts),
      [...values(wanted[name])].filter(counts),
      1000,
      name,
    );
  }
}

describe.each(goldenCases('training').map((row) => [row.name, row] as const))('%s', (_, row) => {
  it('losses and parameters', async () => {
    const { losses, parameters } = await trained(row, {});
    expectClose(losses, row.losses, 100, 'losses');
    expectParameters(parameters, row.parameters);
  });

  it('averages of the parameters', async () => {
    const { parameters } = await trained(row, { ema: 0.9 });
    expectParameters(parameters, row.average);
  });
});

import { expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { ParallelWaveNet, WaveNet } from '../../lib/models';
import type { Module } from '../../lib/nn';
import { affineScalar, mean, RandomStream } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { distillation } from '../../lib/train';
import { expectClose } from '../reference/close';
import { type GoldenTensors, type GoldenWaveCase, goldenCases, values } from '../reference/goldens';
import { goldenTensor } from './load';

const [categorical, gaussian, student] = goldenCases('waveNet') as [
  GoldenWaveCase,
  GoldenWaveCase,
  GoldenWaveCase,
];
// Sums of some tens of terms through up to eight layers.
const [valueUnits, gradientUnits] = [500, 5000];

function load(model: Module, params: GoldenTensors): void {
  const named = model.namedParameters();
  expect([...named.keys()].sort()).toEqual(Object.keys(params).sort());
  for (const [name, parameter] of named) {
    expect(parameter.shape).toEqual(params[name]?.shape);
    parameter.write(values(params[name]!));
  }
}

/** The loss and its gradients by all parameters. */
function expectGradients(model: Module, golden: GoldenWaveCase, loss: () => Tensor): void {
  const named = model.namedParameters();
  scope(() => {
    const { value, gradients } = valueAndGradient(loss, [...named.values()]);
    expectClose([value.item()], [golden.outputs.loss], valueUnits, 'loss');
    for (const [k, name] of [...named.keys()].entries()) {
      expectClose(
        gradients[k]?.dataSync() ?? [],
        values(golden.gradients[name]!),
        gradientUnits,
        name,
      );
    }
  });
}

it.each([
  [
    categorical,
    () =>
      new WaveNet({
        ...{ length: 14, layers: 3, stacks: 2, hidden: 4, gates: 3, skips: 5, head: 6 },
        likelihood: { kind: 'categorical', levels: 5 },
        dtype: 'float64',
      }),
  ],
  [
    gaussian,
    () =>
      new WaveNet({
        ...{ length: 12, layers: 2, stacks: 2, hidden: 4, gates: 5, skips: 3, head: 4 },
        ...{ local: { channels: 2, hop: 3 }, global: 2, condition: 3 },
        likelihood: { kind: 'normal' },
        dtype: 'float64',
      }),
  ],
] as const)('golden $name', (golden, make) => {
  const model = make();
  load(model, golden.params);
  const x = goldenTensor(golden.inputs['x']!);
  const context = golden.inputs['context'] ? goldenTensor(golden.inputs['context']) : null;
  const logProb = scope(() => model.logProb(x, context).dataSync());
  expectClose(logProb, values(golden.outputs.logProb), valueUnits, 'logProb');
  expectGradients(model, golden, () => affineScalar(mean(model.logProbOfRows(x, context)), -1));
  for (const one of [model, x, context]) one?.dispose();
});

it('golden student', () => {
  const sizes = { length: 20, layers: 2, dtype: 'float64' } as const;
  const teacher = new WaveNet({ ...sizes, stacks: 1, hidden: 4, likelihood: { kind: 'normal' } });
  const model = new ParallelWaveNet({ ...sizes, stacks: [1, 1], hidden: 3, base: 'normal' });
  load(teacher, student.teacher as GoldenTensors);
  load(model, student.params);
  const [z, rows] = [goldenTensor(student.inputs['z']!), goldenTensor(student.inputs['rows']!)];
  scope(() => {
    const { x } = model.pass(z, null);
    expectClose(x.dataSync(), values(student.outputs.x!), valueUnits, 'x');
    const logProb = model.logProbOfRows(x, null).dataSync();
    expectClose(logProb, values(student.outputs.logProb), 10 * valueUnits, 'logProb');
  });
  const noise = values(student.inputs['z']!);
  const stream = new (class extends RandomStream {
    override normal(shape: readonly number[]): Tensor {
      return tensorOfArray(noise, shape);
    }
  })(0);
  const batch = { model, x: rows, context: null, stream };
  const divergence = scope(() => distillation(teacher, { power: 0 })(batch).item());
  expectClose([divergence], [student.outputs.divergence!], valueUnits, 'divergence');
  const loss = distillation(teacher, { power: 0.5, stft: { window: 8, hop: 3 } });
  expectGradients(model, student, () => loss(batch));
  for (const one of [teacher, model, z, rows, stream]) one.dispose();
});

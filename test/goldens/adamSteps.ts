/** The steps of Adam that PyTorch took, taken by the library. */
import { expect } from 'vitest';
import type { Module } from '../../lib/nn/module';
import { RandomStream } from '../../lib/ops';
import { memory } from '../../lib/runtime';
import type { Tensor } from '../../lib/tensor/tensor';
import { adam } from '../../lib/train/optimizer';
import { Learner, Step } from '../../lib/train/step';
import { expectClose } from '../reference/close';
import { type GoldenOptimizer, type GoldenTensors, values } from '../reference/goldens';
import { goldenTensor } from './load';

interface Steps {
  readonly optimizer: Pick<GoldenOptimizer, 'lr'> & Partial<GoldenOptimizer>;
  /** x and perhaps context, a batch a step. */
  readonly batches: readonly GoldenTensors[];
  /** Before each step. */
  readonly losses: readonly number[];
}

/**
 * Trains `model` on the batches, one after the other, and compares the losses.
 *
 * @param close units of eps of the losses, of what largest value (expectClose)
 */
export function takeAdamSteps(
  model: Module,
  { optimizer, batches, losses }: Steps,
  lossOf: (x: Tensor, context: Tensor | null) => Tensor,
  { compile, close }: { compile: boolean; close: readonly [units: number, scale?: number] },
): void {
  const before = memory().buffers;
  const { type: _type, weightDecay: _weightDecay, ...options } = optimizer;
  const stream = new RandomStream(0);
  const learner = new Learner(model, {
    optimizer: adam(options),
    clipNorm: Infinity,
    ema: null,
    stream,
    compile,
  });
  const [first] = batches;
  const x = goldenTensor(first?.x);
  const context = first?.context ? goldenTensor(first.context) : null;
  const step = new Step(learner, () => lossOf(x, context), x.rows);
  model.train(true);
  learner.optimizer.setLearningRate(optimizer.lr);
  batches.forEach((batch, t) => {
    x.write(values(batch.x));
    context?.write(values(batch.context));
    expect(step.run()).toBe(true);
    const [units, scale] = close;
    expectClose([step.lastLoss], [losses[t] as number], units, `loss of step ${t}`, scale);
  });
  expect(learner.compile).toBe(compile);
  for (const thing of [x, context, stream, learner, step]) thing?.dispose();
  expect(memory().buffers).toBe(before);
}

import { describe, expect, it } from 'vitest';
import { gradNorm } from '../../lib/ops';
import { memory } from '../../lib/runtime';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { adam, type OptimizerSpec, sgd } from '../../lib/train/optimizer';
import { expectClose, fixture } from '../reference/close';
import { adamState, adamStep, clipByGlobalNorm } from '../reference/optim';

const sizes = [5, 1, 33];

/** Runs ten steps of the library with given gradients. */
function run(spec: OptimizerSpec, maxNorm: number, count = sizes.length) {
  const draw = fixture(12);
  const start = Array.from({ length: count }, (_, k) => draw(sizes[k % 3] as number));
  const gradients = Array.from({ length: 10 }, () => start.map(({ length }) => draw(length, 3)));
  const parameters = start.map((values, k) => ({
    name: `p${k}`,
    tensor: tensorOfArray(values, [values.length]),
    extents: null,
  }));
  const optimizer = spec.create(parameters, maxNorm);
  optimizer.setLearningRate(spec.learningRate);
  for (const given of gradients) {
    scope(() => {
      const tensors = given.map((values) => tensorOfArray(values, [values.length]));
      optimizer.update(tensors, maxNorm < Infinity ? gradNorm(tensors) : null);
    });
  }
  const end = parameters.map(({ tensor }) => tensor.dataSync());
  optimizer.dispose();
  for (const { tensor } of parameters) tensor.dispose();
  return { start, gradients, end };
}

describe('optimizers', () => {
  it.each([Infinity, 4])('adam with L2 decay, clipped to %s, against the reference', (maxNorm) => {
    const options = { lr: 0.03, beta1: 0.8, beta2: 0.97, eps: 1e-6, weightDecay: 0 };
    const before = memory().buffers;
    const { start, gradients, end } = run(adam({ ...options, weightDecay: 0.05 }), maxNorm);
    expect(memory().buffers).toBe(before);
    const states = start.map(({ length }) => adamState(length));
    const expected = start.map((values) => values.slice());
    for (const given of gradients) {
      const copies = given.map((values) => values.slice());
      if (maxNorm < Infinity) expect(clipByGlobalNorm(copies, maxNorm)).toBeGreaterThan(4);
      copies.forEach((gradient, k) => {
        const parameter = expected[k] as Float64Array;
        const decayed = gradient.map((g, i) => g + 0.05 * (parameter[i] as number));
        adamStep(parameter, decayed, states[k] as never, options);
      });
    }
    // Ten steps of a few roundings each.
    end.forEach((values, k) => {
      expectClose(values, expected[k] as Float64Array, 100, `p${k}`);
    });
  });

  it.each([false, true])('sgd with momentum and decay, nesterov %s', (nesterov) => {
    const [lr, momentum, weightDecay] = [0.02, 0.9, 0.1];
    const { start, gradients, end } = run(sgd({ lr, momentum, nesterov, weightDecay }), Infinity);
    start.forEach((values, k) => {
      const p = values.slice();
      const b = new Float64Array(p.length);
      for (const given of gradients) {
        for (let i = 0; i < p.length; i++) {
          const g = ((given[k] as Float64Array)[i] as number) + weightDecay * (p[i] as number);
          b[i] = momentum * (b[i] as number) + g;
          p[i] =
            (p[i] as number) - lr * (nesterov ? g + momentum * (b[i] as number) : (b[i] as number));
        }
      }
      expectClose(end[k] as Float64Array, p, 100, `p${k}`);
    });
  });

  it('more parameters than one instruction takes: each as it would be alone', () => {
    const count = 1900;
    const many = run(adam({ lr: 0.01 }), Infinity, count);
    const states = many.start.map(({ length }) => adamState(length));
    const options = { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 };
    for (const k of [0, 799, 800, 1600, count - 1]) {
      const expected = (many.start[k] as Float64Array).slice();
      for (const given of many.gradients)
        adamStep(expected, given[k] as Float64Array, states[k] as never, options);
      expectClose(many.end[k] as Float64Array, expected, 100, `p${k}`);
    }
  });

  it('leaves a parameter without a gradient alone', () => {
    const tensor = tensorOfArray(Float64Array.of(1, 2), [2]);
    const optimizer = adam({ lr: 1, weightDecay: 1 }).create(
      [{ name: 'p', tensor, extents: null }],
      Infinity,
    );
    optimizer.setLearningRate(1);
    optimizer.update([null], null);
    expect([...tensor.dataSync()]).toEqual([1, 2]);
    optimizer.dispose();
    tensor.dispose();
  });
});

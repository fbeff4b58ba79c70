import { describe, expect, it } from 'vitest';
import { expectClose } from './close';
import { goldenCases, parameterArrays, values } from './goldens';
import { adamState, adamStep, clipByGlobalNorm, emaUpdate, globalNorm } from './optim';

describe('optimisers', () => {
  it.each(goldenCases('optim').map((c) => [c.name, c] as const))(
    '%s: the trajectory of PyTorch',
    (_, golden) => {
      const parameters = parameterArrays({ params: golden.initial });
      const names = Object.keys(parameters);
      const states = names.map((name) => adamState(parameters[name]!.length));
      golden.gradients.forEach((tensors, step) => {
        const gradients = names.map((name) => values(tensors[name]));
        if (golden.clipNorm !== null) {
          const norm = clipByGlobalNorm(gradients, golden.clipNorm);
          expectClose([norm], [golden.norms[step]!], 16, 'norm');
          expect(globalNorm(gradients)).toBeLessThanOrEqual(golden.clipNorm * (1 + 1e-15));
        }
        names.forEach((name, k) => {
          adamStep(parameters[name]!, gradients[k]!, states[k]!, golden.optimizer);
          // 64 eps: ten steps, each with half a dozen roundings of a term below the parameter.
          expectClose(parameters[name]!, values(golden.params[step]![name]), 64, `${step}.${name}`);
        });
      });
    },
  );

  it('the first step of Adam has the length lr', () => {
    const p = Float64Array.from([1, -2]);
    const options = { lr: 0.1, beta1: 0.9, beta2: 0.999, eps: 0, weightDecay: 0 };
    adamStep(p, [300, -1e-5], adamState(2), options);
    expectClose(p, [0.9, -1.9], 8, 'p');
  });

  it('EMA of a constant comes near it by the decay', () => {
    const average = Float64Array.from([0]);
    for (let i = 0; i < 5; i++) emaUpdate(average, [2], 0.5);
    expect(average[0]).toBe(2 * (1 - 0.5 ** 5));
  });
});

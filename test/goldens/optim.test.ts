import { describe, expect, it } from 'vitest';
import { gradNorm } from '../../lib/ops';
import { memory } from '../../lib/runtime';
import { scope } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { adam, adamW } from '../../lib/train/optimizer';
import { expectClose } from '../reference/close';
import { type GoldenTensor, goldenCases, values } from '../reference/goldens';
import { goldenTensor } from './load';

describe.each(goldenCases('optim').map((row) => [row.name, row] as const))(
  'optimizer golden %s',
  (_name, row) => {
    it('parameters after each of ten steps', () => {
      const before = memory().buffers;
      const { type, lr, beta1, beta2, eps, weightDecay } = row.optimizer;
      const make = type === 'adamw' ? adamW : adam;
      const parameters = Object.entries(row.initial).map(([name, golden]) => ({
        name,
        tensor: goldenTensor(golden),
        extents: null,
      }));
      const optimizer = make({ lr, beta1, beta2, eps, weightDecay }).create(
        parameters,
        row.clipNorm ?? Infinity,
      );
      optimizer.setLearningRate(lr);
      row.gradients.forEach((given, t) => {
        scope(() => {
          const gradients = parameters.map(({ name }) => goldenTensor(given[name]));
          let norm: Tensor | null = null;
          if (row.clipNorm !== null) {
            norm = gradNorm(gradients);
            expectClose(norm.dataSync(), [row.norms[t] as number], 8, `norm of step ${t}`);
          }
          optimizer.update(gradients, norm);
        });
        for (const { name, tensor } of parameters) {
          const golden = row.params[t]?.[name] as GoldenTensor;
          // A step adds roundings of a few eps of the moments, whose quotient is then scaled by lr: less than the value's.
          expectClose(tensor.dataSync(), values(golden), 16 * (t + 1), `${name} after step ${t}`);
        }
      });
      optimizer.dispose();
      for (const { tensor } of parameters) tensor.dispose();
      expect(memory().buffers).toBe(before);
    });
  },
);

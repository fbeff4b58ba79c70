import { clone, makeSgdState, sgd } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import { copies, flag, fresh } from './listCases';

const options = { lr: 0.1, momentum: 0.9, weightDecay: 0.05, maxNorm: 3 };

const skipped: OpCase = {
  name: 'nothing by a flag of 2',
  inputs: [{ shape: [3, 5] }, { shape: [3, 5] }],
  run: (p, g) => {
    const [parameters, buffers] = [copies([p!]), copies([g!])];
    const state = clone(makeSgdState(options));
    sgd({ state, parameters, gradients: [g!], buffers, skip: flag(2) });
    return [...parameters, ...buffers];
  },
  expected: (p, g) => [p!, g!].map((values) => ({ shape: [3, 5], values })),
  units: 0,
  gradient: false,
};

export const contract: OpContract = {
  module: 'sgd',
  native: ['sgd'],
  cases: [1, 17, 129, 5000]
    .flatMap((cols) =>
      [false, true].map(
        (nesterov): OpCase => ({
          name: `4 × ${cols}${nesterov ? ', Nesterov' : ''}, clipped to half`,
          inputs: [{ shape: [4, cols] }, { shape: [4, cols] }, { shape: [4, cols] }],
          run: (p, b, g) => {
            const [parameters, buffers] = [copies([p!]), copies([b!])];
            // A norm of 6 against a limit of 3.
            const norm = fresh(6);
            sgd({
              state: clone(makeSgdState(options)),
              parameters,
              gradients: [g!],
              buffers,
              norm,
              nesterov,
            });
            return [...parameters, ...buffers];
          },
          expected: (p, b, g) => {
            const clip = 3 / (6 + 1e-6);
            const full = g!.map((v, i) => clip * v + options.weightDecay * p![i]!);
            const buffer = b!.map((v, i) => options.momentum * v + full[i]!);
            const values = p!.map((v, i) => {
              const step = nesterov ? full[i]! + options.momentum * buffer[i]! : buffer[i]!;
              return v - options.lr * step;
            });
            return [
              { shape: [4, cols], values },
              { shape: [4, cols], values: buffer },
            ];
          },
          units: 8,
          gradient: false,
        }),
      ),
    )
    .concat(skipped),
  errors: [
    {
      name: 'lists of different lengths',
      run: () =>
        sgd({
          state: makeSgdState(options),
          parameters: [f32([2])],
          gradients: [f32([2])],
          buffers: [],
        }),
      code: 'ARGUMENT',
      says: /\[sgd\] buffers: expected 1 entries/,
    },
    {
      name: 'options',
      run: () => makeSgdState({ lr: Number.NaN }),
      code: 'ARGUMENT',
      says: /\[sgd\] lr/,
    },
  ],
};

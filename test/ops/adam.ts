import { adam, affineScalar, clone, makeAdamState } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32, ofType } from '../contract/opContract';
import { adamState, adamStep } from '../reference/optim';
import { copies, flag } from './listCases';

const options = { lr: 0.05, beta1: 0.8, beta2: 0.95, eps: 1e-4, weightDecay: 0 };

/** Two steps with gradients g and 2·g, on two parameters of 4 × cols and of 3. */
function twoSteps(cols: number, type: 'adam' | 'adamw'): OpCase {
  const chosen = { ...options, weightDecay: type === 'adamw' ? 0.1 : 0 };
  return {
    name: `${type}, 4 × ${cols} and 3`,
    inputs: [{ shape: [4, cols] }, { shape: [3] }, { shape: [4, cols] }, { shape: [3] }],
    run: (p, q, dp, dq) => {
      const parameters = copies([p!, q!]);
      const zeros = () => parameters.map((t) => affineScalar(t, 0));
      const [firstMoments, secondMoments] = [zeros(), zeros()];
      const state = clone(makeAdamState(chosen));
      const decoupled = type === 'adamw';
      for (const factor of [1, 2]) {
        const gradients = [affineScalar(dp!, factor), affineScalar(dq!, factor)];
        const lists = { parameters, gradients, firstMoments, secondMoments };
        adam({ state, ...lists, decoupled, skip: flag(-1) });
      }
      return [...parameters, ...firstMoments, ...secondMoments];
    },
    expected: (p, q, dp, dq) => {
      const parameters = [p!.slice(), q!.slice()];
      const states = parameters.map((values) => adamState(values.length));
      for (const factor of [1, 2]) {
        [dp!, dq!].forEach((g, k) => {
          adamStep(
            parameters[k]!,
            g.map((v) => factor * v),
            states[k]!,
            chosen,
          );
        });
      }
      const shapes = [[4, cols], [3]];
      const all = [parameters, states.map((s) => s.m), states.map((s) => s.v)];
      return all.flatMap((list) => list.map((values, k) => ({ shape: shapes[k]!, values })));
    },
    // A dozen roundings a step.
    units: 24,
    gradient: false,
  };
}

/** A step that its flag forbids: everything stays, the count of steps too. */
const skipped: OpCase = {
  name: 'nothing by a flag of 0',
  inputs: [{ shape: [2, 5] }, { shape: [2, 5] }],
  run: (p, g) => {
    const [parameters, firstMoments, secondMoments] = [copies([p!]), copies([g!]), copies([g!])];
    const state = clone(makeAdamState(options));
    const lists = { parameters, gradients: [g!], firstMoments, secondMoments };
    adam({ state, ...lists, skip: flag(0) });
    return [...parameters, ...firstMoments, ...secondMoments, state];
  },
  expected: (p, g) => [
    ...[p!, g!, g!].map((values) => ({ shape: [2, 5], values })),
    { shape: [7], values: [0, 0.05, 0.8, 0.95, 1e-4, 0, Infinity], dtype: 'float64' },
  ],
  units: 0,
  gradient: false,
};

export const contract: OpContract = {
  module: 'adam',
  native: ['adam'],
  cases: [1, 7, 16, 17, 129, 5000]
    .flatMap((cols) => [twoSteps(cols, 'adam'), twoSteps(cols, 'adamw')])
    .concat(skipped),
  errors: [
    {
      name: 'lists of different lengths',
      run: () => {
        const lists = { firstMoments: [f32([2])], secondMoments: [f32([2])] };
        adam({ state: makeAdamState({ lr: 1 }), parameters: [f32([2])], gradients: [], ...lists });
      },
      code: 'ARGUMENT',
      says: /\[adam\] gradients: expected 1 entries, one a parameter, got 0/,
    },
    {
      name: 'type of a gradient',
      run: () => {
        const lists = { firstMoments: [f32([2])], secondMoments: [f32([2])] };
        const gradients = [ofType([2], 'float64')];
        adam({ state: makeAdamState({ lr: 1 }), parameters: [f32([2])], gradients, ...lists });
      },
      code: 'NATIVE',
      says: /\[adam\] gradients\[0\]: expected float32, got float64/,
    },
  ],
};

/** ffjord, by maximum likelihood or flow matching. */
import { ffjord } from '../../flows';
import { flowMatching } from '../../train';
import { UsageError } from '../status';
import { type Model, ofFlows, pass } from './model';

export const continuousModels = {
  ffjord: {
    takes: [
      ...ofFlows,
      'transforms',
      'solver',
      'solverSteps',
      'tolerance',
      'trace',
      'gradient',
      'kinetic',
      'jacobian',
      'matching',
    ],
    defaults: () => ({ hidden: [64, 64] }),
    build(options, { image: _image, ...parts }, defaults) {
      const { dtype, seed, hidden = defaults.hidden, matching, transforms = 1 } = options;
      const { solver = 'rk4', solverSteps, tolerance, trace, kinetic, jacobian } = options;
      if (solverSteps !== undefined && solver !== 'rk4')
        throw new UsageError(`--solver-steps is for --solver rk4: leave it out`);
      if (matching) {
        const others = { solver: options.solver, solverSteps, trace, kinetic, jacobian } as const;
        const idle = Object.entries(others).find(([, value]) => value !== undefined);
        const name = { solverSteps: 'solver-steps' }[idle?.[0] as 'solverSteps'] ?? idle?.[0];
        if (name) throw new UsageError(`--matching trains without a solve: leave out --${name}`);
        if (transforms > 1)
          throw new UsageError('--matching trains one transform: leave out --transforms');
      }
      const steps =
        tolerance === undefined
          ? ({ method: 'dopri5' } as const)
          : ({ method: 'dopri5', rtol: tolerance, atol: tolerance } as const);
      return ffjord({
        ...parts,
        hidden,
        dtype,
        seed,
        transforms,
        training:
          solver === 'dopri5'
            ? steps
            : { method: 'rk4', ...(solverSteps ? { steps: solverSteps } : {}) },
        use: steps,
        ...(trace && { trainingTrace: { kind: trace } }),
        regularization: { ...pass(options, 'kinetic', 'jacobian') },
        ...pass(options, 'gradient'),
      });
    },
    loss: ({ matching }) => (matching ? flowMatching({ coupling: matching }) : null),
  },
} satisfies Record<string, Model>;

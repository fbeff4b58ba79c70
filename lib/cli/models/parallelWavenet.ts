/** parallel-wavenet: a student of a WaveNet. */
import { ParallelWaveNet, type WaveNet } from '../../models';
import { distillation } from '../../train';
import type { TrainOptions } from '../grammar/train';
import { UsageError } from '../status';
import { channelsOf, type Model, pass } from './model';

type Noise = 'normal' | 'logistic';

/** The noise that is said, else that of the teacher's kind. @throws UsageError for one that no student has */
function noiseOf({ base }: TrainOptions, teacher: WaveNet): Noise {
  if (base === undefined) return teacher.likelihood.kind === 'normal' ? 'normal' : 'logistic';
  if (base === 'normal' || base === 'logistic') return base;
  throw new UsageError(`--base ${base}: --model parallel-wavenet has normal or logistic`);
}

/** @throws UsageError for the options of the other kind of divergence */
function checkDivergence(options: TrainOptions, teacher: WaveNet): void {
  const exact = teacher.likelihood.kind === 'normal' && noiseOf(options, teacher) === 'normal';
  if (exact && options.draws !== undefined) {
    throw new UsageError(
      '--draws: the divergence of normal noise from a normal teacher is exact: leave it out',
    );
  }
  if (exact || options.regularization === undefined) return;
  throw new UsageError('--regularization is for normal noise and a normal teacher: leave it out');
}

export const parallelWaveNetModels = {
  'parallel-wavenet': {
    takes: ['teacher', 'layers', 'stacks', 'base', 'power', 'draws', 'regularization'],
    defaults: () => ({ hidden: [64], batchSize: 8 }),
    // Its draws are to be as the teacher's, whatever it says of held-out rows.
    selects: false,
    preprocess({ logit, standardize, levels }) {
      if (logit === undefined && !standardize && levels === undefined) return { kind: 'none' };
      throw new UsageError(
        '--model parallel-wavenet takes numbers as they are: leave out --levels, --logit and --standardize',
      );
    },
    build(options, input, defaults, teacher) {
      const { features, contextPreprocessing, description } = input;
      const { dtype, seed, stacks } = options;
      checkDivergence(options, teacher as WaveNet);
      return new ParallelWaveNet({
        length: features,
        ...(teacher as WaveNet).conditioning,
        contextPreprocessing,
        hidden: channelsOf(options, defaults),
        ...pass(options, 'layers'),
        ...(stacks !== undefined && { stacks: [stacks].flat() }),
        base: noiseOf(options, teacher as WaveNet),
        ...(description && { description }),
        dtype,
        seed,
      });
    },
    loss: (options, teacher) =>
      distillation(teacher as WaveNet, pass(options, 'power', 'draws', 'regularization')),
  },
} satisfies Record<string, Model>;

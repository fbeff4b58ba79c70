/** wavenet. */
import { WaveNet, type WaveOutput } from '../../models';
import { UsageError } from '../status';
import { channelsOf, type Model, pass } from './model';

/** Levels of the outputs that have some. */
const levelsOf = { mulaw: 256, logistic: 65536 } as const;

export const waveNetModels = {
  wavenet: {
    takes: ['output', 'layers', 'stacks'],
    defaults: () => ({ hidden: [64], batchSize: 8 }),
    preprocess({ output = 'gaussian', levels, logit, standardize }, image) {
      if (image) throw new UsageError('--model wavenet is for sound and other sequences');
      if (logit !== undefined || standardize) {
        throw new UsageError(
          '--model wavenet takes the data as they are: leave out --logit and --standardize',
        );
      }
      if (levels !== undefined && output !== 'gaussian') {
        throw new UsageError(
          `--output ${output} has ${levelsOf[output]} levels: leave out --levels`,
        );
      }
      const count = output === 'gaussian' ? levels : levelsOf[output];
      return count === undefined ? { kind: 'none' } : { kind: 'integers', levels: count };
    },
    build(options, { features, contextFeatures, description }, defaults) {
      const { output = 'gaussian', levels, dtype, seed } = options;
      const kind: WaveOutput =
        output === 'logistic'
          ? { kind: 'mixture' }
          : output === 'mulaw'
            ? { kind: 'categorical' }
            : levels !== undefined
              ? { kind: 'categorical', levels }
              : { kind: 'gaussian' };
      return new WaveNet({
        length: features,
        output: kind,
        channels: channelsOf(options, defaults),
        ...pass(options, 'layers', 'stacks'),
        ...(contextFeatures > 0 && { global: contextFeatures }),
        ...(description && { description }),
        dtype,
        seed,
      });
    },
  },
} satisfies Record<string, Model>;

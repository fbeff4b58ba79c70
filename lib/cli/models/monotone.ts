/** naf, umnn, sos, bernstein. */
import { bernsteinFlow, naf, sosFlow, umnn } from '../../flows';
import type { TrainOptions } from '../grammar/train';
import { UsageError } from '../status';
import { type Model, type ModelDefaults, type ModelInput, pass, shared } from './model';

type Recipe = typeof naf | typeof umnn | typeof sosFlow | typeof bernsteinFlow;

const model = (recipe: Recipe): Model => ({
  takes: ['transforms', 'permutation', 'batchNorm', 'degrees', 'activation', 'residual'],
  // A dimension has tens of parameters: the last layer of a network is the largest.
  defaults: (image) => ({ hidden: image ? [512] : [128, 128] }),
  build(options: TrainOptions, input: ModelInput, defaults: ModelDefaults) {
    const { permutation = 'reverse' } = options;
    if (permutation !== 'reverse' && permutation !== 'random' && permutation !== 'none') {
      throw new UsageError(
        `--permutation ${permutation} is for --model glow: choose reverse, random or none`,
      );
    }
    return recipe({
      transforms: 3,
      permutation,
      ...shared(options, input, defaults),
      ...pass(options, 'transforms', 'batchNorm', 'degrees'),
    });
  },
});

export const monotoneModels = {
  naf: model(naf),
  umnn: model(umnn),
  sos: model(sosFlow),
  bernstein: model(bernsteinFlow),
} satisfies Record<string, Model>;

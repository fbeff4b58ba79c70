/** naf, umnn, sos, bernstein, block-naf. */
import { bernsteinFlow, blockNaf, naf, sosFlow, umnn } from '../../flows';
import type { TrainOptions } from '../grammar/train';
import { UsageError } from '../status';
import { type Model, type ModelDefaults, type ModelInput, ofFlows, pass, shared } from './model';

type Recipe = typeof naf | typeof umnn | typeof sosFlow | typeof bernsteinFlow;

function orderOf({ permutation = 'reverse' }: TrainOptions) {
  if (permutation === 'reverse' || permutation === 'random' || permutation === 'none')
    return permutation;
  throw new UsageError(
    `--permutation ${permutation} is for --model glow: choose reverse, random or none`,
  );
}

const model = (recipe: Recipe): Model => ({
  takes: [
    ...ofFlows,
    'transforms',
    'permutation',
    'batchNorm',
    'degrees',
    'activation',
    'residual',
  ],
  // A dimension has tens of parameters: the last layer of a network is the largest.
  defaults: (image) => ({ hidden: image ? [512] : [128, 128] }),
  build: (options: TrainOptions, input: ModelInput, defaults: ModelDefaults) =>
    recipe({
      transforms: 3,
      permutation: orderOf(options),
      ...shared(options, input, defaults),
      ...pass(options, 'transforms', 'batchNorm', 'degrees'),
    }),
});

export const monotoneModels = {
  naf: model(naf),
  umnn: model(umnn),
  sos: model(sosFlow),
  bernstein: model(bernsteinFlow),
  'block-naf': {
    takes: [...ofFlows, 'transforms', 'permutation'],
    // Units of each dimension.
    defaults: () => ({ hidden: [8, 8] }),
    build: (options, { image: _image, ...input }, { hidden }) =>
      blockNaf({
        ...input,
        hidden: options.hidden ?? hidden,
        permutation: orderOf(options),
        ...pass(options, 'transforms'),
        seed: options.seed,
        dtype: options.dtype,
      }),
  },
} satisfies Record<string, Model>;

/** nsf, nsf-ar; planar, radial, sylvester. */
import { nsf, nsfAutoregressive, planar, radial, sylvester } from '../../flows';
import { UsageError } from '../status';
import { type Model, ofFlows, pass, shared } from './model';

const permutations = ['reverse', 'random', 'lu', 'none'] as const;
const isPermutation = (word: string): word is (typeof permutations)[number] =>
  (permutations as readonly string[]).includes(word);

/** Bins on ±5: standardised columns have tails. */
const box = { spline: { bins: 8, bound: 5 } };

const finite = (recipe: typeof planar | typeof radial | typeof sylvester): Model => ({
  takes: [...ofFlows, 'transforms'],
  // Only a context has a network.
  defaults: () => ({ hidden: [] }),
  build({ dtype, seed, hidden, ...options }, { image: _image, ...input }, defaults) {
    if (hidden && input.contextFeatures === 0) {
      throw new UsageError(
        `--hidden ${hidden.join(',')}: --model ${options.model} has a network for --context-columns only`,
      );
    }
    return recipe({
      ...input,
      dtype,
      seed,
      hidden: hidden ?? defaults.hidden,
      ...pass({ dtype, seed, ...options }, 'transforms'),
    });
  },
});

export const splineModels = {
  nsf: {
    takes: [...ofFlows, 'transforms', 'permutation', 'activation', 'residual'],
    defaults: (image) => ({ hidden: image ? [512, 512] : [128, 128] }),
    build(options, input, defaults) {
      const { permutation = 'lu' } = options;
      if (permutation !== 'lu' && permutation !== 'random' && permutation !== 'swap') {
        throw new UsageError(
          `--permutation ${permutation}: --model nsf has lu, random or swap (the halves change places)`,
        );
      }
      return nsf({
        ...box,
        transforms: 6,
        permutation,
        ...shared(options, input, defaults),
        ...pass(options, 'transforms'),
      });
    },
  },
  'nsf-ar': {
    takes: [...ofFlows, 'transforms', 'permutation', 'degrees', 'activation', 'residual'],
    defaults: (image) => ({ hidden: image ? [512] : [128, 128] }),
    build(options, input, defaults) {
      const { permutation = 'reverse' } = options;
      if (!isPermutation(permutation)) {
        throw new UsageError(
          `--permutation ${permutation}: --model nsf-ar has reverse, random, lu or none`,
        );
      }
      return nsfAutoregressive({
        ...box,
        transforms: 3,
        permutation,
        ...shared(options, input, defaults),
        ...pass(options, 'transforms', 'degrees'),
      });
    },
  },
  planar: finite(planar),
  radial: finite(radial),
  sylvester: finite(sylvester),
} satisfies Record<string, Model>;

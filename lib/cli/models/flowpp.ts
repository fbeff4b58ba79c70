/** flowpp: on tables, and on images by convolutions. */
import { flowpp, flowppImage } from '../../flows';
import { UsageError } from '../status';
import { channelsOf, halvings, type Model, ofFlows, pass, refuse, shared, sidesOf } from './model';

export const flowppModels = {
  flowpp: {
    takes: [
      ...ofFlows,
      ...(['transforms', 'permutation', 'activation', 'residual'] as const),
      ...(['scales', 'blocks', 'flat'] as const),
    ],
    defaults: (image, { flat }) => ({ hidden: image ? (flat ? [512, 512] : [32]) : [128, 128] }),
    build(options, input, defaults) {
      const { image } = input;
      if (image && !options.flat) {
        refuse(options, ['permutation', 'activation', 'residual'], ' on images');
        const { features: _features, image: _image, ...parts } = input;
        return flowppImage({
          ...parts,
          image: sidesOf(image),
          scales: options.scales ?? 1 + halvings(image, 1),
          hidden: channelsOf(options, defaults),
          blocks: options.blocks ?? 2,
          ...pass(options, 'transforms'),
          dtype: options.dtype,
          seed: options.seed,
        });
      }
      refuse(options, ['scales', 'blocks'], ' on rows of a table');
      const { permutation = 'lu' } = options;
      if (permutation !== 'lu' && permutation !== 'random' && permutation !== 'swap') {
        throw new UsageError(
          `--permutation ${permutation}: --model flowpp has lu, random or swap (the halves change places)`,
        );
      }
      return flowpp({
        transforms: 6,
        permutation,
        ...shared(options, input, defaults),
        ...pass(options, 'transforms'),
      });
    },
  },
} satisfies Record<string, Model>;

/** flowpp: on tables, and on images by convolutions. */
import { flowpp, flowppImage } from '../../flows';
import { UsageError } from '../status';
import { type Model, ofFlows, pass, refuse, shared, sharedOfImages } from './model';

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
        return flowppImage({
          ...sharedOfImages(options, input, image, defaults),
          blocks: options.blocks ?? 2,
          ...pass(options, 'transforms'),
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

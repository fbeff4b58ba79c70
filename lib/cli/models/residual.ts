/** residual: on tables, and on images by convolutions. */
import { residualFlow, residualFlowImage } from '../../flows';
import { type Model, ofFlows, pass, refuse, sharedOfImages } from './model';

export const residualModels = {
  residual: {
    takes: [...ofFlows, 'transforms', 'norm', 'scales', 'flat'],
    defaults: (image, { flat }) => ({ hidden: image && !flat ? [64] : [128, 128, 128] }),
    build(options, input, defaults) {
      const { image, ...parts } = input;
      const { dtype, seed, hidden = defaults.hidden } = options;
      const norm = options.norm === undefined ? {} : { norm: { orders: options.norm } };
      if (!image || options.flat) {
        refuse(options, ['scales'], ' on rows of a table');
        return residualFlow({
          ...parts,
          hidden,
          dtype,
          seed,
          ...norm,
          ...pass(options, 'transforms'),
        });
      }
      return residualFlowImage({
        ...sharedOfImages(options, input, image, defaults),
        ...norm,
        ...pass(options, 'transforms'),
      });
    },
  },
} satisfies Record<string, Model>;

/** nice, realnvp, glow. */
import { type Flow, glow, nice, type RealNvpOptions, realnvp, realnvpImage } from '../../flows';
import type { ImageShape } from '../dataset';
import type { TrainOptions } from '../grammar/train';
import { UsageError } from '../status';
import {
  halvings,
  type Model,
  type ModelDefaults,
  type ModelInput,
  ofFlows,
  pass,
  refuse,
  shared,
  sharedOfImages,
} from './model';

function imageRealNvp(
  options: TrainOptions,
  input: ModelInput,
  image: ImageShape,
  defaults: ModelDefaults,
): Flow {
  const ofTables = ['transforms', 'permutation', 'scaleBound', 'activation', 'residual'] as const;
  refuse(options, ofTables, ' on images');
  return realnvpImage({
    ...sharedOfImages(options, input, image, defaults),
    blocks: options.blocks ?? 2,
    ...pass(options, 'batchNorm'),
  });
}

const ofRealNvp = ['transforms', 'batchNorm', 'permutation', 'scaleBound'] as const;

export const couplingModels = {
  realnvp: {
    takes: [...ofFlows, ...ofRealNvp, 'activation', 'residual', 'scales', 'blocks', 'flat'],
    defaults: (image, { flat }) => ({ hidden: image ? (flat ? [512, 512] : [32]) : [256, 256] }),
    build(options, input, defaults) {
      if (input.image && !options.flat) return imageRealNvp(options, input, input.image, defaults);
      refuse(options, ['scales', 'blocks'], ' on rows of a table');
      const { permutation, scaleBound } = options;
      if (permutation !== undefined && permutation !== 'random' && permutation !== 'swap') {
        throw new UsageError(
          `--permutation ${permutation}: --model realnvp has swap (the halves change places) or random`,
        );
      }
      const scale: Pick<RealNvpOptions, 'scale'> =
        scaleBound === undefined ? {} : { scale: { kind: 'atan', bound: scaleBound } };
      const permuted = permutation === undefined ? {} : { permutation };
      return realnvp({
        ...shared(options, input, defaults),
        ...pass(options, 'transforms', 'batchNorm'),
        ...permuted,
        ...scale,
      });
    },
  },
  nice: {
    takes: [...ofFlows, 'transforms', 'activation', 'residual'],
    defaults: (image) => ({
      hidden: image ? Array.from({ length: 5 }, () => 1000) : [256, 256],
    }),
    build: (options, input, defaults) =>
      nice({ ...shared(options, input, defaults), ...pass(options, 'transforms') }),
  },
  glow: {
    takes: [
      ...ofFlows,
      ...(['transforms', 'permutation', 'scaleBound', 'coupling', 'scales'] as const),
      'networkActNorm',
    ],
    defaults: () => ({ hidden: [128] }),
    build(options, input, defaults) {
      const { image } = input;
      if (!image) throw new UsageError('--model glow is for images');
      const { permutation = 'lu', coupling, scaleBound } = options;
      if (permutation === 'none' || permutation === 'swap') {
        throw new UsageError(
          `--model glow mixes the channels: --permutation is not ${permutation}`,
        );
      }
      return glow({
        ...sharedOfImages(options, input, image, defaults),
        scales: options.scales ?? halvings(image, 3),
        transforms: options.transforms ?? 8,
        permutation,
        ...(coupling && { coupling }),
        ...pass(options, 'networkActNorm'),
        // Bounded both ways: samples of a model that has hardly trained do not run away.
        scale: scaleBound === undefined ? { kind: 'tanh' } : { kind: 'atan', bound: scaleBound },
      });
    },
  },
} satisfies Record<string, Model>;

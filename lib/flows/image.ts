/** What the recipes of image flows share. */
import { Affine } from '../bijections/affine';
import type { Bijection } from '../bijections/bijection';
import { Chain } from '../bijections/chain';
import { Logit } from '../bijections/logit';
import { requireImage } from '../bijections/positions';
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { type ImageShape, requireSize } from '../shape';
import type { Dequantization } from './flowParts';
import type { RecipeOptions } from './recipe';

/** 0 … levels, divided by their number, through the logit of λ + (1 − 2λ)x. */
export function pixelLogit(
  features: number,
  levels: number,
  lambda: number,
  dtype: FloatDType,
): Bijection {
  return new Chain([Affine.uniform(features, 1 / levels, 0, dtype), new Logit(features, lambda)]);
}

/** D of an image. */
export function imageFeatures({ height, width, channels }: ImageShape): number {
  return height * width * channels;
}

/**
 * @param scales L
 * @param whole scales of the image's own size: 0 where each begins with a squeeze, 1 where squeezes are between them
 * @throws FlowError ARGUMENT unless height and width can be halved so often
 */
export function requireHalving(
  where: string,
  image: ImageShape,
  scales: number,
  whole: 0 | 1,
): void {
  requireImage(where, image);
  requireSize(where, 'scales', scales);
  const unit = 2 ** (scales - whole);
  if (image.height % unit === 0 && image.width % unit === 0) return;
  const up = (extent: number) => Math.ceil(extent / unit) * unit;
  const size = `${up(image.height)} × ${up(image.width)}`;
  throw new FlowError(
    'ARGUMENT',
    expected(
      where,
      'image',
      `a height and width that are multiples of ${unit} for ${scales} scales`,
      `${image.height} × ${image.width}`,
      `pad the images to ${size} (padImages), or take fewer scales`,
    ),
  );
}

/**
 * Dequantisation, preprocessing and description of a flow on images: of bytes, where the options do not say otherwise.
 *
 * @param usual the preprocessing of the paper, for the levels of the data
 */
export function imageParts(
  options: RecipeOptions & { readonly image: ImageShape },
  usual: (dequantization: Dequantization) => Bijection,
): RecipeOptions {
  const { dequantization = { levels: 256 }, description = {}, image } = options;
  const { preprocessing = dequantization && usual(dequantization) } = options;
  const { height, width, channels } = image;
  const shape = JSON.stringify([height, width, channels]);
  return {
    ...options,
    dequantization,
    preprocessing,
    description: { image: shape, ...description },
  };
}

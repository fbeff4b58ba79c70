/**
 * Space to depth: every 2 × 2 block of pixels becomes one pixel of four times the channels (Dinh et al., "Density
 * estimation using Real NVP", 2017, section 3.6). A permutation of the features: log-det 0.
 */
import { expected, FlowError } from '../errors';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import { squeeze, unsqueeze } from '../ops';
import { image as anImage, checkArgument } from '../options';
import type { ImageShape } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { Bijection, type ForwardPart, type InversePart } from './bijection';
import { requireImage } from './positions';

/** The shape after a squeeze. */
export function squeezed(image: ImageShape): ImageShape {
  checkArgument('squeezed', 'image', image, anImage);
  const { height, width, channels } = image;
  return { height: height / 2, width: width / 2, channels: 4 * channels };
}

export class Squeeze extends Bijection {
  override readonly features: number;

  /** @param image height and width (even) and channels of what comes in */
  constructor(readonly image: ImageShape) {
    super();
    checkArgument('Squeeze', 'image', image, anImage);
    requireImage('Squeeze', image);
    if (image.height % 2 !== 0 || image.width % 2 !== 0) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'Squeeze',
          'image',
          'an even height and width',
          `${image.height} × ${image.width}`,
          'pad the images, or take fewer levels',
        ),
      );
    }
    this.features = image.height * image.width * image.channels;
  }

  protected override mapForward(x: Tensor): ForwardPart {
    return { y: squeeze(x, this.image), logDet: null };
  }

  protected override mapInverse(y: Tensor): InversePart {
    return { x: unsqueeze(y, this.image), logDet: null };
  }

  config(): Config {
    const { height, width, channels } = this.image;
    return { kind: 'squeeze', image: { height, width, channels } };
  }
}

register<{ kind: 'squeeze'; image: ImageShape & Record<string, number> }>(
  'squeeze',
  (config) => new Squeeze(config.image),
);

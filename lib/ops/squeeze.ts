/** Space to depth and back: 2 × 2 pixels become one of four times the channels. */
import { expected, FlowError } from '../errors';
import { image as anImage, checkArgument } from '../options';
import type { ImageShape } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { requireFloat, requireTensor } from './check';
import { apply, type OpDefinition } from './define';

interface Attributes {
  readonly image: ImageShape;
  readonly back: boolean;
}

const definition: OpDefinition<Attributes> = {
  name: 'squeeze',
  outputs([x], { image: { height, width, channels } }) {
    const { cols, dtype, shape } = x as Tensor;
    requireFloat('squeeze', 'x', x as Tensor);
    if (height % 2 !== 0 || width % 2 !== 0 || cols !== height * width * channels) {
      throw new FlowError(
        'SHAPE',
        expected(
          'squeeze',
          'x',
          `rows of an image of even height and width, ${height} × ${width} × ${channels}`,
          `${cols} columns`,
          'pad or crop the images',
        ),
      );
    }
    return [{ shape, dtype }];
  },
  encode: ({ image: { height, width, channels }, back }) => [height, width, channels, back ? 1 : 0],
  saves: { inputs: [], outputs: [] },
  vjp: ({ d: [dy], attributes: { image, back } }) => [
    apply(definition, [dy as Tensor], { image, back: !back })[0] as Tensor,
  ],
};

/**
 * Rows of images [N, H·W·C] → rows of images of half the height and width and four times the channels [N, H/2·W/2·4C].
 * The channels of a new pixel are those of the four old ones: top left, top right, bottom left, bottom right.
 *
 * @param x float32 or float64 [N, H·W·C], channels last
 * @param image H, W (even) and C of x
 */
export function squeeze(x: Tensor, image: ImageShape): Tensor {
  requireTensor('squeeze', 'x', x);
  checkArgument('squeeze', 'image', image, anImage);
  return apply(definition, [x], { image, back: false })[0] as Tensor;
}

/** The way back from {@link squeeze}. @param image H, W, C of the result: what squeeze was given */
export function unsqueeze(y: Tensor, image: ImageShape): Tensor {
  requireTensor('unsqueeze', 'y', y);
  checkArgument('unsqueeze', 'image', image, anImage);
  return apply(definition, [y], { image, back: true })[0] as Tensor;
}

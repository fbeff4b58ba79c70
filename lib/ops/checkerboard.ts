/** One colour of a checkerboard: what a coupling's network sees of an image. */
import { expected, FlowError } from '../errors';
import { checkArgument, sides } from '../options';
import type { ImageShape } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { requireFloat } from './check';
import { apply, type OpDefinition } from './define';

interface Attributes {
  readonly height: number;
  readonly width: number;
  readonly parity: 0 | 1;
}

const definition: OpDefinition<Attributes> = {
  name: 'checkerboard',
  outputs([input], { height, width, parity }) {
    const x = input as Tensor;
    requireFloat('checkerboard', 'x', x);
    const sizes = [height, width].every((size) => Number.isInteger(size) && size >= 1);
    if (!sizes || x.rows % (height * width) !== 0) {
      throw new FlowError(
        'SHAPE',
        expected(
          'checkerboard',
          'x',
          `rows [N·${height}·${width}], one a position`,
          `${x.rows}`,
          'pass the height and the width of the images',
        ),
      );
    }
    if (parity !== 0 && parity !== 1) {
      throw new FlowError(
        'ARGUMENT',
        expected('checkerboard', 'parity', '0 or 1', String(parity), 'pass one of the two'),
      );
    }
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  encode: ({ height, width, parity }) => [height * width, width, parity],
  saves: { inputs: [], outputs: [] },
  vjp: ({ d: [dy], attributes }) => [apply(definition, [dy as Tensor], attributes)[0] as Tensor],
};

/**
 * Zeros at the positions (h, w) of each image with h + w even (parity 0) or odd (parity 1), x at the others.
 *
 * @param x [N·height·width, C] float32 or float64, the rows of an image line by line
 * @throws FlowError SHAPE, DTYPE, ARGUMENT (parity)
 */
export function checkerboard(
  x: Tensor,
  image: Pick<ImageShape, 'height' | 'width'>,
  parity: 0 | 1,
): Tensor {
  checkArgument('checkerboard', 'image', image, sides);
  const { height, width } = image;
  return apply(definition, [x], { height, width, parity })[0] as Tensor;
}

/** Positions: a map that acts on the channels of an image alike at every pixel sees rows of pixels. */
import { expected, FlowError } from '../errors';
import { type ImageShape, requireSize, requireSizes } from '../shape';

/** @throws FlowError ARGUMENT unless it is a whole number of at least 1 */
export function requirePositions(where: string, positions: number): void {
  requireSize(where, 'positions', positions, 'height·width; 1 for a table');
}

/** @throws FlowError ARGUMENT unless it has all three, whole numbers of at least 1 */
export function requireImage(where: string, image: ImageShape): void {
  if (typeof image !== 'object' || image === null) {
    const wanted = '{ height, width, channels }';
    throw new FlowError(
      'ARGUMENT',
      expected(where, 'image', wanted, String(image), 'pass the size of the images'),
    );
  }
  const { height, width, channels } = image;
  requireSizes(where, {
    'image.height': height,
    'image.width': width,
    'image.channels': channels,
  });
}

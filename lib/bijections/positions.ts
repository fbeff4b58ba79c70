/** Positions: a map that acts on the channels of an image alike at every pixel sees rows of pixels. */
import { expected, FlowError } from '../errors';
import type { ImageShape } from '../shape';

/** @throws FlowError ARGUMENT unless it is a whole number of at least 1 */
export function requirePositions(where: string, positions: number, what = 'positions'): void {
  if (Number.isSafeInteger(positions) && positions >= 1) return;
  const remedy = what === 'positions' ? 'height·width; 1 for a table' : 'correct the option';
  throw new FlowError(
    'ARGUMENT',
    expected(where, what, 'a whole number ≥ 1', String(positions), remedy),
  );
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
  requirePositions(where, image.height, 'image.height');
  requirePositions(where, image.width, 'image.width');
  requirePositions(where, image.channels, 'image.channels');
}

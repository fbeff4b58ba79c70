/** Images as tables: bytes [N, H, W] or [N, H, W, C], channels last. */
import { expected, FlowError } from '../errors';
import { array, checkArgument, count, countOrNone, list, number, object, one } from '../options';
import type { ImageShape } from '../shape';
import type { Table } from './table';

export interface ImageTable extends Table {
  data: Uint8Array;
}

/** Images of classes. */
export interface LabelledImages extends ImageTable {
  /** The class of each image, an index into `classes`. */
  labels: Uint8Array | Int32Array;
  classes: string[];
}

/** @throws FlowError SHAPE unless the shape is [N, H, W] or [N, H, W, C] */
export function imageShapeOf(images: Pick<Table, 'shape'>, where = 'images'): ImageShape {
  checkArgument(where, 'images', images, object);
  checkArgument(where, 'shape', images.shape, list);
  const [, height, width, channels = 1] = images.shape;
  if ((images.shape.length === 3 || images.shape.length === 4) && height && width && channels)
    return { height, width, channels };
  const got = `[${images.shape.join(', ')}]`;
  const sentence = expected(where, 'shape', '[N, H, W] or [N, H, W, C]', got, 'pass images');
  throw new FlowError('SHAPE', sentence);
}

/**
 * The images in the middle of larger ones, with `value` around them: MNIST of 28 × 28 as 32 × 32, which can be halved
 * five times. Where the border cannot be equal, the left and the upper one are the smaller.
 *
 * @throws FlowError SHAPE where the new size is smaller than the images
 */
export function padImages<T extends ImageTable>(
  images: T,
  height: number,
  width = height,
  value = 0,
): T {
  checkArgument('padImages', 'images', images, object);
  checkArgument(
    'padImages',
    'data',
    images.data,
    one('a Uint8Array', () => Uint8Array),
  );
  checkArgument('padImages', 'rows', images.rows, countOrNone);
  checkArgument('padImages', 'value', value, number);
  const { height: h, width: w, channels } = imageShapeOf(images, 'padImages');
  if (!(Number.isSafeInteger(height) && Number.isSafeInteger(width) && height >= h && width >= w)) {
    const got = `${height} × ${width}`;
    const sentence = expected(
      'padImages',
      'size',
      `at least ${h} × ${w}`,
      got,
      'pad to a larger size',
    );
    throw new FlowError('SHAPE', sentence);
  }
  const cols = height * width * channels;
  const data = new Uint8Array(images.rows * cols).fill(value);
  const [top, left] = [Math.floor((height - h) / 2), Math.floor((width - w) / 2)];
  for (let n = 0; n < images.rows; n++) {
    for (let y = 0; y < h; y++) {
      const from = (n * h + y) * w * channels;
      const line = images.data.subarray(from, from + w * channels);
      data.set(line, n * cols + ((y + top) * width + left) * channels);
    }
  }
  const shape = [images.rows, height, width, ...images.shape.slice(3)];
  return { ...images, data, cols, shape };
}

/**
 * Labels as rows of context: [N, K] with 1 at the label and 0 elsewhere.
 *
 * @param classes K
 * @throws FlowError DATA that names the first label that is none of 0 … K − 1
 */
export function oneHot(
  labels: ArrayLike<number>,
  classes: number,
): { data: Uint8Array; rows: number; cols: number } {
  checkArgument('oneHot', 'labels', labels, array);
  checkArgument('oneHot', 'classes', classes, count);
  const data = new Uint8Array(labels.length * classes);
  for (let n = 0; n < labels.length; n++) {
    const label = labels[n] as number;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      const sentence = expected(
        'oneHot',
        `labels[${n}]`,
        `a whole number from 0 to ${classes - 1}`,
        String(label),
        'pass the number of classes that there are',
      );
      throw new FlowError('DATA', sentence);
    }
    data[n * classes + label] = 1;
  }
  return { data, rows: labels.length, cols: classes };
}

/** Sheets of images, as PNG. */
import { PNG } from 'pngjs';
import { expected, FlowError } from '../errors';
import { array, checkArgument, checkOptions, list, number, object, type Rules } from '../options';

/** Images to draw: `[N, H, W]` or `[N, H, W, C]` with 1, 3 or 4 channels. A `Table` of images is one. */
export interface Images {
  /** Bytes from 0 to 255, or numbers from 0 to 1; what lies outside is clamped. */
  data: Uint8Array | Float32Array | Float64Array | readonly number[];
  shape: readonly number[];
}

/** What {@link imageSheet} takes. */
export interface ImageSheetOptions {
  /** Images in a row; about the square root of their number where left out. */
  columns?: number;
  /** Pixels between the images and around them; 2 where left out. */
  padding?: number;
  /** How many pixels a pixel becomes; 1 where left out. */
  scale?: number;
  /** The grey between the images, 0 to 1; 1 (white) where left out. */
  background?: number;
}

/** What a NaN looks like: a colour that no grey image has. */
const NAN_COLOR = [1, 0, 0.8, 1];
/** A sheet of more pixels than this is a mistake. */
const MAX_PIXELS = 2 ** 28;

const sheetRules: Rules<ImageSheetOptions> = {
  columns: number,
  padding: number,
  scale: number,
  background: number,
};

/**
 * Draws images side by side into one PNG file. A pixel that is NaN is drawn in magenta.
 *
 * @returns the bytes of the file: greys where the images have one channel and no NaN, else colours
 * @throws FlowError `SHAPE` where the shape is none of images or does not fit the data; `ARGUMENT`
 *   for options that cannot be
 */
export function imageSheet(images: Images, options: ImageSheetOptions = {}): Buffer {
  checkArgument('imageSheet', 'images', images, object);
  checkArgument('imageSheet', 'data', images.data, array);
  checkArgument('imageSheet', 'shape', images.shape, list);
  checkOptions('imageSheet', options, sheetRules);
  const { data } = images;
  const [count, height, width, channels] = checkShape(images);
  const { padding = 2, scale = 1, background = 1 } = options;
  const columns = Math.min(options.columns ?? Math.ceil(Math.sqrt(count)), count);
  checkNumber('columns', columns, 1);
  checkNumber('padding', padding, 0);
  checkNumber('scale', scale, 1);
  const rows = Math.ceil(count / columns);
  const sheetWidth = columns * (width * scale + padding) + padding;
  const sheetHeight = rows * (height * scale + padding) + padding;
  if (sheetWidth * sheetHeight > MAX_PIXELS) {
    const got = `${sheetWidth} × ${sheetHeight} pixels`;
    fail('ARGUMENT', 'sheet', `at most 2^28 pixels`, got, 'draw fewer images, or scale them less');
  }
  const png = new PNG({ width: sheetWidth, height: sheetHeight });
  png.data.fill(255);
  const paper = toByte(background);
  for (let i = 0; i < png.data.length; i += 4) png.data.fill(paper, i, i + 3);
  const most = data instanceof Uint8Array ? 255 : 1;
  let grey = channels === 1;
  for (let n = 0; n < count; n++) {
    const left = padding + (n % columns) * (width * scale + padding);
    const top = padding + Math.floor(n / columns) * (height * scale + padding);
    for (let i = 0; i < height * width; i++) {
      let pixel = colorAt(data, (n * height * width + i) * channels, channels, most);
      if (pixel.some(Number.isNaN)) {
        pixel = NAN_COLOR;
        grey = false;
      }
      const x = left + (i % width) * scale;
      const y = top + Math.floor(i / width) * scale;
      fillSquare(png, x, y, scale, pixel.map(toByte));
    }
  }
  const colorType = grey ? 0 : channels === 4 ? 6 : 2;
  return PNG.sync.write(png, { colorType, inputHasAlpha: true });
}

/** Red, green, blue and opacity of the pixel at an index, 0 to 1. */
function colorAt(data: ArrayLike<number>, at: number, channels: number, most: number): number[] {
  const value = (c: number) => data[at + c]! / most;
  if (channels === 1) return [value(0), value(0), value(0), 1];
  return [value(0), value(1), value(2), channels === 4 ? value(3) : 1];
}

function fillSquare(png: PNG, x: number, y: number, size: number, pixel: readonly number[]): void {
  for (let dy = 0; dy < size; dy++) {
    for (let dx = 0; dx < size; dx++) {
      const at = ((y + dy) * png.width + x + dx) * 4;
      for (let c = 0; c < 4; c++) png.data[at + c] = pixel[c]!;
    }
  }
}

/** The byte of a brightness from 0 to 1. */
function toByte(value: number): number {
  return Math.round(Math.min(1, Math.max(0, value)) * 255);
}

function checkShape({ data, shape }: Images): [number, number, number, number] {
  const [count = 0, height = 0, width = 0, channels = 1] = shape;
  const whole = shape.every((size) => Number.isSafeInteger(size) && size > 0);
  const fits = count * height * width * channels === data.length;
  if (whole && fits && (shape.length === 3 || shape.length === 4) && [1, 3, 4].includes(channels)) {
    return [count, height, width, channels];
  }
  const expectation = '[N, H, W] or [N, H, W, C] with C = 1, 3 or 4, and as many numbers';
  const got = `[${shape.join(', ')}] and ${data.length} numbers`;
  fail('SHAPE', 'images', expectation, got, 'give the shape of the images, channels last');
}

function checkNumber(what: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  fail('ARGUMENT', what, `a whole number from ${least}`, String(value), 'correct it');
}

function fail(
  code: 'SHAPE' | 'ARGUMENT',
  what: string,
  expectation: string,
  got: string,
  remedy: string,
): never {
  throw new FlowError(code, expected('imageSheet', what, expectation, got, remedy));
}

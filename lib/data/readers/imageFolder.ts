/** Folders of PNG and JPEG files, with a class a subfolder. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expected, FlowError } from '../../errors';
import { fileError } from '../../io/file';
import { anything, path as aPath, checkArgument, checkOptions, type Rules } from '../../options';
import type { LabelledImages } from '../images';
import { dataError } from '../table';
import { decodeImage, type Pixels } from './decodeImage';
import { cropped, shrunkToCover } from './resize';

const READER = 'readImageFolder';

/** What {@link readImageFolder} takes. */
export interface ImageFolderOptions {
  /** Height and width of the result; those of the first image where left out. One number: a square. */
  size?: number | { height: number; width: number };
  /**
   * What to do about an image of another size. `exact` (the default): an error that names it. `crop`: its middle. `cover`:
   * it is made smaller by averaging until it just covers the size, and of that the middle.
   */
  fit?: 'exact' | 'crop' | 'cover';
  /** 1 (grey) or 3 (red, green, blue). If left out: 1 where no pixel of any image has a colour. */
  channels?: 1 | 3;
}

/** Images of a folder. */
export interface ImageFolder extends LabelledImages {
  /** The path of each image, from the folder, with `/` on every platform. */
  files: string[];
}

const folderRules: Rules<ImageFolderOptions> = {
  size: anything,
  fit: anything,
  channels: anything,
};

/**
 * Reads the PNG and JPEG files of a folder, in the order of their names. Where the folder has subfolders with images, each
 * is a class: `labels` are indices into `classes`, their sorted names. Without, all images are of one class, `''`.
 *
 * @returns `[N, H, W]` for grey images, else `[N, H, W, 3]`
 * @throws FlowError `FILE`, `FORMAT` for files that cannot be read; `DATA` for an image of another size, and a folder
 *   without images; each names the file
 */
export async function readImageFolder(
  folder: string,
  options: ImageFolderOptions = {},
): Promise<ImageFolder> {
  checkArgument('readImageFolder', 'folder', folder, aPath);
  checkOptions('readImageFolder', options, folderRules);
  const { fit = 'exact', channels } = options;
  const wanted = sizeOf(options.size);
  if (!['exact', 'crop', 'cover'].includes(fit)) {
    const sentence = expected(READER, 'fit', 'exact, crop or cover', String(fit), 'correct it');
    throw new FlowError('ARGUMENT', sentence);
  }
  const { classes, entries } = await list(folder);
  const first = entries[0];
  if (!first) {
    const remedy = 'give a folder of images, or of folders of images, one a class';
    throw dataError(READER, folder, 'files that end with .png, .jpg or .jpeg', 'none', remedy);
  }
  let size = wanted;
  let data = new Uint8Array(0);
  let grey = channels !== 3;
  for (const [n, { path }] of entries.entries()) {
    const pixels = await decodeImage(READER, join(folder, path));
    size ??= { height: pixels.height, width: pixels.width };
    const { height, width } = size;
    const length = height * width * 3;
    if (n === 0) data = room(folder, entries.length, length);
    data.set(fitted(join(folder, path), pixels, height, width, fit).data, n * length);
    if (channels === undefined && grey) grey = isGrey(data.subarray(n * length, (n + 1) * length));
  }
  const { height, width } = size as { height: number; width: number };
  const rows = entries.length;
  const shape = [rows, height, width, ...(grey ? [] : [3])];
  const held = grey ? toGrey(data) : data;
  return {
    data: held,
    rows,
    cols: held.length / rows,
    shape,
    source: folder,
    labels: Int32Array.from(entries, ({ label }) => label),
    classes,
    files: entries.map(({ path }) => path),
  };
}

function sizeOf(size: ImageFolderOptions['size']): { height: number; width: number } | null {
  if (size === undefined) return null;
  const { height, width } = typeof size === 'number' ? { height: size, width: size } : size;
  const whole = (value: number) => Number.isSafeInteger(value) && value > 0;
  if (whole(height) && whole(width)) return { height, width };
  const got = `${height} × ${width}`;
  throw new FlowError(
    'ARGUMENT',
    expected(READER, 'size', 'whole numbers above 0', got, 'correct it'),
  );
}

interface Entry {
  readonly path: string;
  readonly label: number;
}

async function list(folder: string): Promise<{ classes: string[]; entries: Entry[] }> {
  const isImage = (name: string) => /\.(png|jpe?g)$/i.test(name) && !name.startsWith('.');
  // By code units, not by the machine's language: the same order everywhere.
  const sorted = (names: string[]) => names.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const namesIn = async (path: string) => {
    try {
      return await readdir(path, { withFileTypes: true });
    } catch (error) {
      throw fileError(READER, path, 'a folder of images', error);
    }
  };
  const here = await namesIn(folder);
  const plain = sorted(here.filter((e) => !e.isDirectory() && isImage(e.name)).map((e) => e.name));
  const classes: string[] = [];
  const entries: Entry[] = [];
  for (const name of sorted(here.filter((e) => e.isDirectory()).map((e) => e.name))) {
    const inside = (await namesIn(join(folder, name))).map((e) => e.name).filter(isImage);
    if (inside.length === 0) continue;
    for (const file of sorted(inside))
      entries.push({ path: `${name}/${file}`, label: classes.length });
    classes.push(name);
  }
  if (plain.length > 0 && entries.length > 0) {
    const got = `${plain[0]} beside the folder ${classes[0]}`;
    const remedy = 'move the images that have no class into a folder of their own';
    throw dataError(READER, folder, 'images or folders of images, one a class', got, remedy);
  }
  if (plain.length > 0) {
    classes.push('');
    for (const path of plain) entries.push({ path, label: 0 });
  }
  return { classes, entries };
}

function room(folder: string, images: number, length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(images * length);
  } catch {
    const got = `${images} images of ${length} bytes`;
    const remedy = 'make them smaller with size and fit: cover';
    throw dataError(READER, folder, 'images that fit into memory', got, remedy);
  }
}

function fitted(
  path: string,
  pixels: Pixels,
  height: number,
  width: number,
  fit: 'exact' | 'crop' | 'cover',
): Pixels {
  if (pixels.height === height && pixels.width === width) return pixels;
  const got = `${pixels.height} × ${pixels.width}`;
  if (fit === 'exact') {
    const remedy = "set fit to 'crop' or 'cover', or make all images of one size";
    throw dataError(READER, path, `${height} × ${width} pixels`, got, remedy);
  }
  if (pixels.height < height || pixels.width < width) {
    const remedy = 'set a smaller size: images are not enlarged';
    throw dataError(READER, path, `at least ${height} × ${width} pixels`, got, remedy);
  }
  return cropped(fit === 'cover' ? shrunkToCover(pixels, height, width) : pixels, height, width);
}

function isGrey(rgb: Uint8Array): boolean {
  for (let i = 0; i < rgb.length; i += 3)
    if (rgb[i] !== rgb[i + 1] || rgb[i] !== rgb[i + 2]) return false;
  return true;
}

/** Luma of ITU-R BT.601, as JPEG has it; exact for greys. */
function toGrey(rgb: Uint8Array): Uint8Array {
  const grey = new Uint8Array(rgb.length / 3);
  for (let i = 0; i < grey.length; i++) {
    const [r, g, b] = rgb.subarray(3 * i, 3 * i + 3) as unknown as [number, number, number];
    grey[i] = Math.round(0.299 * r + 0.587 * g + 0.114 * b);
  }
  return grey;
}

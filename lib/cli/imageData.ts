/** Images from the command line: folders, CIFAR-10, labels as context; sizes made to fit a model. */
import { statSync } from 'node:fs';
import { imageShapeOf, oneHot, padImages } from '../data/images';
import { isCifar10, loadCifar10, readCifar10 } from '../data/readers/cifar10';
import { readImageFolder } from '../data/readers/imageFolder';
import { readTable } from '../data/readers/readTable';
import type { Table } from '../data/table';
import { expected, FlowError } from '../errors';
import type { Matrix } from './dataset';
import type { ReadingOptions } from './grammar/reading';
import { UsageError } from './status';

export interface LabelledTable extends Table {
  labels?: Uint8Array | Int32Array;
  classes?: string[];
}

/** Whether a path names images of several files, or a format that only images have. */
export function holdsImages(path: string): boolean {
  return isCifar10(path) || statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Reads images: a folder of PNG and JPEG, a folder (its training part) or a file of CIFAR-10. */
export async function readImages(path: string, options: ReadingOptions): Promise<LabelledTable> {
  if (!isCifar10(path)) {
    const { size } = options;
    return await readImageFolder(path, size === undefined ? {} : { size, fit: 'cover' });
  }
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return isFolder ? await loadCifar10({ folder: path, split: 'train' }) : await readCifar10(path);
}

/** The images with a border, where --pad asks for one. */
export function padded<T extends Table>(table: T, pad: number | undefined): T {
  if (pad === undefined) return table;
  const { data, shape } = table;
  if (!(data instanceof Uint8Array) || (shape.length !== 3 && shape.length !== 4)) {
    throw new UsageError('--pad: the data are no images');
  }
  const { height, width } = imageShapeOf(table);
  if (pad < Math.max(height, width)) {
    throw new UsageError(`--pad ${pad}: the images are ${height} × ${width} already`);
  }
  return padImages({ ...table, data }, pad);
}

/** Classes of the rows as context, one column a class. */
export interface ClassContext {
  readonly context: Matrix;
  readonly classes: readonly string[];
}

/**
 * The labels that --labels names: those that came with the images, or those of a file.
 *
 * @param classes those of a model that was trained before; without, those that there are
 */
export async function classContext(
  path: string,
  rows: LabelledTable,
  labels: string | true,
  classes: readonly string[] | null,
): Promise<ClassContext> {
  let values: ArrayLike<number>;
  let names: readonly string[] | null = null;
  if (labels === true) {
    if (!rows.labels || !rows.classes) {
      throw new UsageError(`--labels: ${path} has none of its own: give the file of the labels`);
    }
    [values, names] = [rows.labels, rows.classes];
  } else {
    const table = await readTable(labels);
    if (table.data.length !== rows.rows) {
      const remedy = 'give one label a row';
      const got = String(table.data.length);
      throw new FlowError('DATA', expected('data', labels, `${rows.rows} labels`, got, remedy));
    }
    values = table.data;
  }
  // Classes by their names where both have some: another folder may lack one of them.
  if (names && classes) {
    const order = names.map((name) => classes.indexOf(name));
    const strange = order.indexOf(-1);
    if (strange >= 0) {
      const got = String(names[strange]);
      const wanted = `classes of the model: ${classes.join(', ')}`;
      const remedy = 'leave the others out';
      throw new FlowError('DATA', expected('data', path, wanted, got, remedy));
    }
    values = Array.from(values, (label) => order[label] as number);
  }
  const known =
    classes ??
    names ??
    Array.from({ length: Math.max(...Array.from(values)) + 1 }, (_, k) => `${k}`);
  return { context: oneHot(values, known.length), classes: known };
}

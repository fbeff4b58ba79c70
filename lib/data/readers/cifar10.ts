/** CIFAR-10's binary version. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expected, FlowError } from '../../errors';
import { checkOptions, path, type Rules, required, word } from '../../options';
import type { LabelledImages } from '../images';
import { dataError, formatError } from '../table';
import { openByteSource } from './byteSource';

const SIDE = 32;
const PIXELS = SIDE * SIDE;
/** A label and 1024 bytes each of red, green and blue. */
const RECORD = 1 + 3 * PIXELS;

/** The classes of CIFAR-10 by their labels. */
export const CIFAR10_CLASSES: readonly string[] = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
];

/**
 * Reads one file of CIFAR-10's binary version, packed by gzip or not: records of a label and 3072 bytes, red, green and
 * blue plane after each other. The planes are laid together: `[N, 32, 32, 3]`, channels last.
 *
 * @throws FlowError `FORMAT` where the file ends within a record; `DATA` for a label above 9, with its record
 * @see https://www.cs.toronto.edu/~kriz/cifar.html
 */
export async function readCifar10(path: string): Promise<LabelledImages> {
  const reader = 'readCifar10';
  const source = await openByteSource(reader, path);
  try {
    const images: Uint8Array[] = [];
    const labels: number[] = [];
    const record = new Uint8Array(RECORD);
    for (;;) {
      const got = await source.fill(record);
      if (got === 0) break;
      const what = `${path}: record ${images.length} (counted from 0)`;
      if (got < RECORD) throw formatError(reader, what, `${RECORD} bytes`, `${got} bytes`);
      const label = record[0] as number;
      if (label >= CIFAR10_CLASSES.length) {
        const remedy = 'the file is not of CIFAR-10’s binary version, or damaged';
        throw dataError(reader, what, 'a label from 0 to 9', String(label), remedy);
      }
      labels.push(label);
      images.push(interleaved(record));
    }
    if (images.length === 0)
      throw formatError(reader, path, 'at least one record', 'an empty file');
    return {
      data: joined(images),
      rows: images.length,
      cols: 3 * PIXELS,
      shape: [images.length, SIDE, SIDE, 3],
      source: path,
      labels: Uint8Array.from(labels),
      classes: [...CIFAR10_CLASSES],
    };
  } finally {
    await source.close();
  }
}

/** The pixels of a record, red, green and blue beside each other. */
function interleaved(record: Uint8Array): Uint8Array {
  const pixels = new Uint8Array(3 * PIXELS);
  for (let c = 0; c < 3; c++)
    for (let i = 0; i < PIXELS; i++) pixels[3 * i + c] = record[1 + c * PIXELS + i] as number;
  return pixels;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const TRAIN_FILES = [1, 2, 3, 4, 5].map((k) => `data_batch_${k}.bin`);

/** Whether a path looks like a file, or a folder, of CIFAR-10's binary version. */
export function isCifar10(path: string): boolean {
  const file = basename(path.replace(/\.gz$/i, ''));
  return (
    TRAIN_FILES.includes(file) ||
    file === 'test_batch.bin' ||
    existsSync(join(path, TRAIN_FILES[0] as string))
  );
}

/** What {@link loadCifar10} takes. */
export interface Cifar10Options {
  /** The folder of `data_batch_1.bin` … `data_batch_5.bin` and `test_batch.bin`. */
  folder: string;
  /** `train`: the five batches, 50,000 images; `test`: 10,000. */
  split: 'train' | 'test';
}

const cifar10Rules: Rules<Cifar10Options> = {
  folder: required(path),
  split: required(word('train', 'test')),
};

/**
 * Loads CIFAR-10 from a folder of its binary version.
 *
 * @throws FlowError `FILE` for a file that is missing; as {@link readCifar10}
 */
export async function loadCifar10(options: Cifar10Options): Promise<LabelledImages> {
  const { folder, split } = checkOptions('loadCifar10', options, cifar10Rules);
  if (split !== 'train' && split !== 'test') {
    const got = String(split);
    const sentence = expected('loadCifar10', 'split', `'train' or 'test'`, got, 'correct it');
    throw new FlowError('ARGUMENT', sentence);
  }
  const files = split === 'train' ? TRAIN_FILES : ['test_batch.bin'];
  const parts: LabelledImages[] = [];
  for (const file of files) parts.push(await readCifar10(join(folder, file)));
  const rows = parts.reduce((total, part) => total + part.rows, 0);
  return {
    data: joined(parts.map(({ data }) => data)),
    rows,
    cols: 3 * PIXELS,
    shape: [rows, SIDE, SIDE, 3],
    source: folder,
    labels: joined(parts.map(({ labels }) => Uint8Array.from(labels))),
    classes: [...CIFAR10_CLASSES],
  };
}

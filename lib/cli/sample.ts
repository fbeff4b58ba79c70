/** `flow-kernels sample`: rows drawn from a model. */
import { oneHot } from '../data/images';
import { readTable } from '../data/readers/readTable';
import { writeCsv } from '../data/writers/csv';
import { writeNpy } from '../data/writers/npy';
import { writeWav } from '../data/writers/wav';
import { type GenerativeModel, loadModel, ParallelWaveNet, WaveNet } from '../models';
import { setThreads } from '../runtime';
import { checkWidth, floatMatrix, type ImageShape, type Matrix, readDescription } from './dataset';
import { modelPath } from './folder';
import type { SampleCommandOptions } from './grammar/sample';
import { outputKind, refuseOverwrite } from './outFile';
import { writeImages } from './outputs';
import { contextOfSound, holdsSound, type SoundDescription, samplesOf } from './sound';
import { exitStatus, type Terminal, UsageError, write } from './status';
import { grouped } from './text';

export async function sample(
  terminal: Terminal,
  model: string,
  options: SampleCommandOptions,
): Promise<number> {
  const kind =
    options.out === undefined ? null : outputKind(options.out, ['csv', 'npy', 'png', 'wav']);
  await refuseOverwrite(options.out, options.contextFile);
  if (options.threads) setThreads(options.threads);
  const flow = await loadModel(await modelPath(model));
  try {
    const { image, columns, sound } = readDescription(flow.description);
    if (kind === 'png' && !image) {
      throw new UsageError(
        `--out ${options.out}: the model's rows are no images: choose .csv or .npy`,
      );
    }
    if (kind === 'wav' && !sound) {
      throw new UsageError(
        `--out ${options.out}: the model's rows are no sound: choose .csv or .npy`,
      );
    }
    if (
      options.length !== undefined &&
      !(flow instanceof WaveNet || flow instanceof ParallelWaveNet)
    ) {
      throw new UsageError('--length is for models of sequences: wavenet');
    }
    const { context, length = options.length } = await contextOf(flow, options);
    const count = options.contextFile && context ? context.rows : options.number;
    const drawn = flow.sample(count, {
      temperature: options.temperature,
      context,
      ...(options.seed === undefined ? {} : { seed: options.seed }),
      ...(length === undefined ? {} : { length }),
    });
    const data = drawn.dataSync() as Float32Array | Float64Array;
    drawn.dispose();
    const table = {
      data,
      rows: count,
      cols: length ?? flow.features,
      columns: columns ?? undefined,
    };
    if (kind === 'wav') {
      const { rate } = sound as SoundDescription;
      await writeWav(options.out!, { samples: samplesOf(data, sound as SoundDescription), rate });
    } else if (kind === 'png') await writeImages(options.out!, flow, data, image as ImageShape);
    else if (kind === 'npy') await writeArray(options.out!, flow, table, image);
    else if (kind === 'csv') await writeCsv(options.out!, table);
    else await printRows(terminal, table);
    const where = options.out === undefined ? '' : `; ${options.out}`;
    if (!options.quiet) terminal.stderr.write(`${grouped(count)} rows${where}\n`);
    return exitStatus.ok;
  } finally {
    flow.dispose();
  }
}

/** The context of all rows or of each, and where it says so the moments of a row. */
async function contextOf(
  flow: GenerativeModel,
  options: SampleCommandOptions,
): Promise<{ context: Matrix | null; length?: number }> {
  const { sound, classes } = readDescription(flow.description);
  if (options.contextFile === undefined || !sound?.spectrum || !holdsSound(options.contextFile)) {
    return { context: await rowsOfContext(flow, options) };
  }
  if (options.context || options.length !== undefined) {
    throw new UsageError('--context-file: the sound says all: leave out --context and --length');
  }
  if (classes && options.class === undefined) {
    throw new UsageError(`the model has classes: pass --class with one of ${classes.join(', ')}`);
  }
  const told = options.class === undefined ? [] : classRow(classes, options.class).data;
  return await contextOfSound(options.contextFile, { ...sound, spectrum: sound.spectrum }, told);
}

function classRow(classes: readonly string[] | null, name: string) {
  const label = classes?.indexOf(name) ?? -1;
  if (classes && label >= 0) return oneHot([label], classes.length);
  const known = classes ? `one of ${classes.join(', ')}` : 'none: it has no classes';
  throw new UsageError(`--class ${name}: the model knows ${known}`);
}

async function rowsOfContext(flow: GenerativeModel, options: SampleCommandOptions) {
  const { contextFeatures } = flow;
  const given = [options.context, options.contextFile, options.class].filter(
    (o) => o !== undefined,
  );
  if (given.length > 1) {
    throw new UsageError('choose one of --context, --context-file and --class');
  }
  const { classes, sound } = readDescription(flow.description);
  if (sound?.spectrum && options.contextFile === undefined && !options.context) {
    throw new UsageError(
      'the model is told what is heard when: pass --context-file with a WAV file',
    );
  }
  if (options.contextFile) {
    const table = await readTable(options.contextFile);
    checkWidth(table, 'context', table.cols, contextFeatures, table.columns ?? null);
    return floatMatrix(table);
  }
  if (options.class !== undefined) return classRow(classes, options.class);
  if (!options.context) {
    if (contextFeatures === 0) return null;
    const named = classes ? '--class with a class, ' : '';
    throw new UsageError(
      `the model is conditional: pass ${named}--context with ${contextFeatures} numbers, or --context-file`,
    );
  }
  if (options.context.length !== contextFeatures) {
    const wanted = contextFeatures === 0 ? 'none' : `${contextFeatures} numbers`;
    throw new UsageError(`--context: the model takes ${wanted}, got ${options.context.length}`);
  }
  return { data: Float64Array.from(options.context), rows: 1, cols: contextFeatures };
}

interface Rows {
  readonly data: Float32Array | Float64Array;
  readonly rows: number;
  readonly cols: number;
  readonly columns?: readonly string[] | undefined;
}

/** NPY: images in the shape and, where they have up to 256 levels, the bytes that they were trained on. */
async function writeArray(
  path: string,
  flow: GenerativeModel,
  table: Rows,
  image: ImageShape | null,
) {
  const bytes = flow.dequantization !== null && flow.dequantization.levels <= 256;
  const data = bytes ? Uint8Array.from(table.data) : table.data;
  const inner = image ? (image[2] === 1 ? image.slice(0, 2) : [...image]) : [table.cols];
  await writeNpy(path, { data, shape: [table.rows, ...inner] });
}

async function printRows(terminal: Terminal, { data, rows, cols, columns }: Rows): Promise<void> {
  if (columns) await write(terminal.stdout, `${columns.map(cell).join(',')}\n`);
  for (let row = 0; row < rows; row++) {
    const values = Array.from(data.subarray(row * cols, (row + 1) * cols), String);
    await write(terminal.stdout, `${values.join(',')}\n`);
  }
}

function cell(name: string): string {
  return /[",\r\n]|^\s|\s$|^$/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}

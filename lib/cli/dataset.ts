import { isCifar10 } from '../data/readers/cifar10';
import { readTable } from '../data/readers/readTable';
import { type ColumnKey, columnLabel, type Table } from '../data/table';
import type { TypedArray } from '../dtype';
import { expected, FlowError, isFlowError } from '../errors';
import type { ReadingOptions } from './grammar/reading';
import { classContext, holdsImages, type LabelledTable, padded, readImages } from './imageData';
import {
  formOf,
  holdsSound,
  readSound,
  readSoundFor,
  type SoundDescription,
  soundEncodings,
} from './sound';
import { UsageError } from './status';

/** A matrix of numbers, row-major. */
export interface Matrix {
  readonly data: TypedArray;
  readonly rows: number;
  readonly cols: number;
}

/** Height, width, channels. */
export type ImageShape = readonly [number, number, number];

/** What was read of one file. */
export interface Dataset {
  readonly source: string;
  readonly rows: Matrix;
  /** Floats. */
  readonly context: Matrix | null;
  readonly columns: readonly string[] | null;
  readonly contextColumns: readonly string[] | null;
  /** Set where the rows are images. */
  readonly image: ImageShape | null;
  /** Names of the classes, where the context is one column a class. */
  readonly classes?: readonly string[] | null;
  /** Labels that came with the images, whether they are the context or not. */
  readonly labels?: { readonly values: ArrayLike<number>; readonly classes: string[] } | null;
  /** Set where the rows are sound. */
  readonly sound?: SoundDescription | null;
  /** Rows left out because of missing values. */
  readonly droppedRows: number;
}

/** A matrix of floats, as contexts are. */
export function floatMatrix(matrix: Matrix | null): Matrix | null {
  if (!matrix || matrix.data instanceof Float32Array || matrix.data instanceof Float64Array) {
    return matrix;
  }
  return { ...matrix, data: Float32Array.from(matrix.data) };
}

/** The rows of a matrix with these indices, in this order. */
function takeRows(matrix: Matrix, indices: ArrayLike<number>): Matrix {
  const { data, cols } = matrix;
  const taken = new (data.constructor as Float64ArrayConstructor)(indices.length * cols);
  for (let k = 0; k < indices.length; k++) {
    const from = (indices[k] as number) * cols;
    taken.set((data as Float64Array).subarray(from, from + cols), k * cols);
  }
  return { data: taken, rows: indices.length, cols };
}

/** The rows of a data set with these indices. */
export function takeSamples(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  const { rows, context } = dataset;
  return {
    ...dataset,
    rows: takeRows(rows, indices),
    context: context && takeRows(context, indices),
    labels: null,
  };
}

/**
 * Reads a data file, or images.
 *
 * @param classes of a model that was trained before, where the labels are its context
 * @throws FlowError DATA, FILE, FORMAT, ARGUMENT that name file, row and column
 */
export async function readDataset(
  path: string,
  options: ReadingOptions,
  classes: readonly string[] | null = null,
): Promise<Dataset> {
  const { contextColumns, labels } = options;
  if (contextColumns && labels !== undefined) {
    throw new UsageError('choose one of --context-columns and --labels');
  }
  if (holdsSound(path)) {
    return await readSound(path, formOf(options), classes);
  }
  if (options.spectrum !== undefined || options.hop !== undefined) {
    throw new UsageError('--spectrum and --hop are for sound');
  }
  if (!holdsImages(path)) {
    if (options.size !== undefined) {
      throw new UsageError('--size is for folders of images; --pad puts a border around others');
    }
    if (labels === undefined && options.pad === undefined) return await readColumns(path, options);
  }
  if (options.columns || options.exclude || contextColumns) {
    throw new UsageError('--columns, --exclude and --context-columns are for tables, not images');
  }
  const read: LabelledTable = holdsImages(path)
    ? await readImages(path, options)
    : await readTable(path);
  const rows = padded(read, options.pad);
  const context = labels === undefined ? null : await classContext(path, rows, labels, classes);
  return {
    source: path,
    rows,
    context: floatMatrix(context?.context ?? null),
    columns: rows.columns ?? null,
    contextColumns: null,
    image: imageShape(rows),
    classes: context?.classes ?? null,
    labels: rows.labels && rows.classes ? { values: rows.labels, classes: rows.classes } : null,
    droppedRows: 0,
  };
}

async function readColumns(path: string, options: ReadingOptions): Promise<Dataset> {
  const { contextColumns, missing = 'error' } = options;
  const common = {
    ...(options.header === undefined ? {} : { header: options.header }),
    ...(options.delimiter === undefined ? {} : { delimiter: options.delimiter }),
    // Rows and context are dropped together: NaN stays until both are here.
    missing: missing === 'drop' && contextColumns ? ('keep' as const) : missing,
  };
  const exclude = [...(options.exclude ?? []), ...(contextColumns ?? [])];
  const rows = await plain(() =>
    readTable(path, {
      ...common,
      ...(options.columns ? { columns: options.columns } : {}),
      ...(exclude.length > 0 ? { exclude } : {}),
    }),
  );
  const context = contextColumns
    ? await plain(() => readTable(path, { ...common, columns: contextColumns }))
    : null;
  const dataset: Dataset = {
    source: path,
    rows,
    context: floatMatrix(context),
    columns: rows.columns ?? null,
    contextColumns: context?.columns ?? null,
    image: imageShape(rows),
    droppedRows: rows.droppedRows ?? 0,
  };
  return missing === 'drop' && context ? dropMissing(dataset) : dataset;
}

/** The readers' sentences name options of the library: here they are options of the command line. */
async function plain<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (!isFlowError(error)) throw error;
    const sentence = error.message
      .replace("read with missing: 'drop' or 'keep'", 'drop such rows with --missing drop')
      .replace(/leave (the column|it) out: exclude: \[(.+?)\]/, 'leave $1 out with --exclude $2')
      .replace('set header: true', 'pass --header')
      .replace('or set the delimiter', 'or pass --delimiter');
    throw new FlowError(error.code, sentence, { cause: error });
  }
}

function dropMissing(dataset: Dataset): Dataset {
  const kept: number[] = [];
  const finite = ({ data, cols }: Matrix, row: number) => {
    for (let i = row * cols; i < (row + 1) * cols; i++) if (!Number.isFinite(data[i])) return false;
    return true;
  };
  for (let row = 0; row < dataset.rows.rows; row++) {
    if (finite(dataset.rows, row) && finite(dataset.context as Matrix, row)) kept.push(row);
  }
  if (kept.length === 0) {
    const got = `none: all ${dataset.rows.rows} had missing values`;
    const sentence = expected(
      'read',
      dataset.source,
      'rows of numbers',
      got,
      'give a file with data',
    );
    throw new FlowError('DATA', sentence);
  }
  const droppedRows = dataset.rows.rows - kept.length;
  return { ...takeSamples(dataset, kept), droppedRows };
}

/** Bytes of three or four axes are images: [N, H, W] or [N, H, W, C]. */
function imageShape({ data, shape }: Table): ImageShape | null {
  if (!(data instanceof Uint8Array) || (shape.length !== 3 && shape.length !== 4)) return null;
  const channels = shape[3] ?? 1;
  return channels === 1 || channels === 3 || channels === 4
    ? [shape[1] as number, shape[2] as number, channels]
    : null;
}

/** What a model remembers of its data: its flow's `description`. */
export interface DataDescription {
  readonly columns: readonly string[] | null;
  readonly contextColumns: readonly string[] | null;
  /** The keys that selected the columns, where some were selected by index. */
  readonly selected: readonly ColumnKey[] | null;
  readonly selectedContext: readonly ColumnKey[] | null;
  readonly image: ImageShape | null;
  /** The classes that the context has a column of each. */
  readonly classes: readonly string[] | null;
  readonly sound: SoundDescription | null;
}

/** The description as texts, for the model file. */
export function describeData(dataset: Dataset, options: ReadingOptions): Record<string, string> {
  const { columns, contextColumns, image, classes, sound } = dataset;
  const description: Record<string, string> = {};
  const put = (key: string, value: unknown) => {
    if (value !== null && value !== undefined) description[key] = JSON.stringify(value);
  };
  put('columns', columns);
  put('contextColumns', contextColumns);
  put('selected', columns ? null : options.columns);
  put('selectedContext', contextColumns ? null : options.contextColumns);
  put('image', image);
  put('classes', classes);
  put('sound', sound);
  return description;
}

/** The description back from texts; what cannot be read counts as not there. */
export function readDescription(description: Readonly<Record<string, string>>): DataDescription {
  const list = (key: string, good: (value: unknown) => boolean) => {
    try {
      const value: unknown = JSON.parse(description[key] ?? 'null');
      return Array.isArray(value) && value.every(good) ? value : null;
    } catch {
      return null;
    }
  };
  const isName = (value: unknown) => typeof value === 'string';
  const isKey = (value: unknown) => isName(value) || Number.isSafeInteger(value);
  const isSize = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0;
  const image = list('image', isSize);
  return {
    columns: list('columns', isName),
    contextColumns: list('contextColumns', isName),
    selected: list('selected', isKey),
    selectedContext: list('selectedContext', isKey),
    image: image?.length === 3 ? (image as unknown as ImageShape) : null,
    classes: list('classes', isName),
    sound: soundIn(description),
  };
}

function soundIn(description: Readonly<Record<string, string>>): SoundDescription | null {
  try {
    const sound = JSON.parse(description['sound'] ?? 'null') as SoundDescription;
    const { rate, encoding, spectrum } = sound;
    if (!Number.isSafeInteger(rate) || !soundEncodings.includes(encoding)) return null;
    const { bands, hop } = spectrum ?? { bands: 1, hop: 1 };
    const isSpectrum = [bands, hop].every((size) => Number.isSafeInteger(size) && size > 0);
    return isSpectrum ? { rate, encoding, ...(spectrum && { spectrum: { bands, hop } }) } : null;
  } catch {
    return null;
  }
}

/** The model that data are read for. */
export interface Wanted {
  readonly features: number;
  readonly contextFeatures: number;
  readonly description: Readonly<Record<string, string>>;
}

/**
 * Reads the columns that a model was trained on: those that the options name; else by the names that the model
 * remembers; in files without names all columns, or those at the places that the model remembers.
 */
export async function readDatasetFor(
  path: string,
  model: Wanted,
  options: ReadingOptions,
): Promise<Dataset> {
  const memory = readDescription(model.description);
  if (memory.sound && holdsSound(path)) {
    return await readSoundFor(path, memory.sound, model.features, memory.classes);
  }
  if (memory.image && (holdsImages(path) || memory.classes)) {
    return await readImagesFor(path, memory, options);
  }
  if (memory.image && options.pad === undefined) {
    // Images of another size are padded, as those of the training were. What cannot be read is read again below, for its error.
    const found = await readDataset(path, options).catch(() => null);
    const fits = found?.image && found.image[0] < memory.image[0] && model.contextFeatures === 0;
    if (fits) return await readImagesFor(path, memory, options);
  }
  const columns = options.columns ?? memory.columns ?? memory.selected;
  const context =
    options.contextColumns ?? memory.contextColumns ?? memory.selectedContext ?? undefined;
  if (model.contextFeatures > 0 && !context) {
    throw new UsageError('the model is conditional: --context-columns must name the context');
  }
  const chosen: ReadingOptions = {
    ...options,
    ...(columns && !options.exclude ? { columns: [...columns] } : {}),
    ...(model.contextFeatures > 0 && context ? { contextColumns: [...context] } : {}),
  };
  let dataset: Dataset;
  try {
    dataset = await readDataset(path, chosen);
  } catch (error) {
    // The file has no names: then its columns must be those of the model, in the same order.
    const byMemory = columns && !options.columns && !options.exclude && !options.contextColumns;
    if (!byMemory || !isFlowError(error, 'ARGUMENT')) throw error;
    const whole = await readDataset(path, withoutSelection(options)).catch(() => null);
    if (!whole || whole.columns || model.contextFeatures > 0) throw error;
    dataset = whole;
  }
  checkWidth(dataset, 'rows', dataset.rows.cols, model.features, dataset.columns);
  if (dataset.context) {
    const { cols } = dataset.context;
    checkWidth(dataset, 'context', cols, model.contextFeatures, dataset.contextColumns);
  }
  return dataset;
}

/** Images in the size of the model, and the classes that it knows. */
async function readImagesFor(
  path: string,
  { image, classes }: DataDescription,
  options: ReadingOptions,
): Promise<Dataset> {
  const [height, width] = image as ImageShape;
  const isFolder = holdsImages(path) && !isCifar10(path);
  const labels = options.labels ?? (classes ? true : undefined);
  const chosen: ReadingOptions = {
    ...options,
    ...(isFolder && options.size === undefined && height === width ? { size: height } : {}),
    ...(labels === undefined ? {} : { labels }),
  };
  let dataset = await readDataset(path, chosen, classes);
  const smaller = dataset.image && dataset.image[0] < height && height === width;
  if (smaller && options.pad === undefined) {
    dataset = await readDataset(path, { ...chosen, pad: height }, classes);
  }
  const wanted = (image as ImageShape).reduce((product, size) => product * size, 1);
  checkWidth(dataset, 'rows', dataset.rows.cols, wanted, dataset.columns);
  return dataset;
}

function withoutSelection(options: ReadingOptions): ReadingOptions {
  const { columns: _columns, contextColumns: _context, ...rest } = options;
  return rest;
}

/** @throws FlowError SHAPE where a file has not as many columns as a model wants */
export function checkWidth(
  dataset: Pick<Dataset, 'source'>,
  what: string,
  got: number,
  wanted: number,
  names: readonly string[] | null,
): void {
  if (got === wanted) return;
  const shown = names ? ` (${names.slice(0, 8).join(', ')}${names.length > 8 ? ', …' : ''})` : '';
  const sentence = expected(
    'data',
    `${dataset.source}: ${what}`,
    `${wanted} columns, as the model has`,
    `${got}${shown}`,
    'select them with --columns or --exclude',
  );
  throw new FlowError('SHAPE', sentence);
}

/** A value's place in words, for errors. */
export function placeOf(dataset: Dataset, position: number): string {
  const { cols } = dataset.rows;
  const column = columnLabel(position % cols, dataset.columns ?? undefined);
  const kept = dataset.droppedRows > 0 ? ' among the rows that were kept' : '';
  return `${dataset.source}: row ${Math.floor(position / cols)} (counted from 0${kept}), ${column}`;
}

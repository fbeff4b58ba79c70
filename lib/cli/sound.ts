/** Sound from the command line: WAV files as rows of samples, and samples back into a WAV file. */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { type BandOptions, bandPowers } from '../data/bandPowers';
import { readWav, readWavFolder, soundRows } from '../data/readers/wav';
import { linearDecode, linearEncode, muLawDecode, muLawEncode, toMono } from '../data/sound';
import { expected, FlowError } from '../errors';
import type { Dataset, Matrix } from './dataset';
import type { ReadingOptions } from './grammar/reading';
import { UsageError } from './status';

/** How samples are written: 256 mu-law levels, 65536 even levels, or numbers within [−1, 1]. */
export const soundEncodings = ['mulaw', 'linear', 'none'] as const;
export type SoundEncoding = (typeof soundEncodings)[number];

/** What is heard when, as a model is told: the power of so many bands, a frame every `hop` samples. */
export interface Spectrum extends BandOptions {}

/** What a model remembers of the sound that it was trained on. */
export interface SoundDescription {
  readonly rate: number;
  readonly encoding: SoundEncoding;
  readonly spectrum?: Spectrum;
}

/** What sounds are read as. */
export interface SoundForm extends Pick<ReadingOptions, 'window' | 'encoding' | 'labels'> {
  readonly spectrum?: Spectrum | undefined;
}

/** Samples of a row where nothing is said. */
const usualWindow = 4000;

/** Samples of a frame of the spectrum where nothing is said. */
const usualHop = 200;

/** Whether a path is a WAV file, or a folder with one in it or below. */
export function holdsSound(path: string): boolean {
  const isWav = (name: string) => /\.wav$/i.test(name);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat !== undefined && isWav(path);
  return readdirSync(path, { recursive: true }).some((name) => isWav(String(name)));
}

/** The form that the options ask for. @throws UsageError */
export function formOf(options: ReadingOptions): SoundForm {
  const { columns, exclude, contextColumns, size, pad, spectrum, hop, ...form } = options;
  if (columns || exclude || contextColumns || size || pad) {
    throw new UsageError(
      '--columns, --exclude, --context-columns, --size and --pad are not for sound',
    );
  }
  if (typeof form.labels === 'string') {
    throw new UsageError('--labels takes no file for sound: subfolders are the classes');
  }
  if (spectrum === undefined) {
    if (hop === undefined) return form;
    throw new UsageError('--hop is for --spectrum: leave it out');
  }
  const every = { bands: spectrum, hop: hop ?? usualHop };
  const { window = usualWindow } = form;
  if (window % every.hop !== 0) {
    const divisor = `choose a divisor of --window ${window}`;
    throw new UsageError(`--hop ${every.hop}: rows are whole frames: ${divisor}`);
  }
  if (every.bands <= every.hop) return { ...form, spectrum: every };
  throw new UsageError(
    `--spectrum ${every.bands}: a frame has ${every.hop} samples, no more bands`,
  );
}

/** Sounds of one channel with their places: a file, or all of a folder. */
async function soundsOf(path: string) {
  if (statSync(path).isDirectory()) {
    const { sounds, files, rate } = await readWavFolder(path);
    return { sounds, rate, folders: files.map((file) => file.split(/[\\/]/).slice(0, -1)[0]) };
  }
  const sound = await readWav(path);
  return {
    sounds: [toMono(sound)],
    rate: sound.rate,
    folders: [basename(dirname(resolve(path)))],
  };
}

/**
 * The sounds of a file or folder, cut into rows, with what a model is told of them: frames of the spectrum, then a column a class.
 *
 * @param known classes of a model that was trained before
 */
export async function readSound(
  path: string,
  { window = usualWindow, encoding = 'none', labels, spectrum }: SoundForm,
  known: readonly string[] | null = null,
): Promise<Dataset> {
  const { sounds, rate, folders } = await soundsOf(path);
  const { data, rows, cols } = soundRows(sounds, window);
  const classes = labels === undefined ? null : classesOf(path, folders, known);
  const levels =
    encoding === 'mulaw' ? muLawEncode(data) : encoding === 'linear' ? linearEncode(data) : data;
  const told = sounds.flatMap((sound, k) =>
    contextOf(sound, window, spectrum, classes, folders[k] as string),
  );
  return {
    source: path,
    rows: { data: levels, rows, cols },
    context: told[0]?.length ? matrixOf(told as Float32Array[]) : null,
    columns: null,
    contextColumns: null,
    image: null,
    classes,
    sound: { rate, encoding, ...(spectrum && { spectrum }) },
    droppedRows: 0,
  };
}

/** The names of subfolders. @throws UsageError where there are none; FlowError DATA for one that the model does not know */
function classesOf(
  path: string,
  folders: readonly (string | undefined)[],
  known: readonly string[] | null,
): readonly string[] {
  if (folders.some((folder) => folder === undefined)) {
    throw new UsageError(
      `--labels: ${path} has sounds that are in no subfolder: give each a class`,
    );
  }
  const found = [...new Set(folders as string[])].sort();
  const strange = known && found.find((name) => !known.includes(name));
  if (!strange) return known ?? found;
  const wanted = `classes of the model: ${known.join(', ')}`;
  const remedy = 'a folder is named as its class';
  throw new FlowError('DATA', expected('data', path, wanted, strange, remedy));
}

/** What is told of each row of a sound. */
function contextOf(
  sound: Float32Array,
  window: number,
  spectrum: Spectrum | undefined,
  classes: readonly string[] | null,
  folder: string,
): Float32Array[] {
  const count = Math.floor(sound.length / window);
  const frames = spectrum && bandPowers(sound, spectrum).data;
  const width = spectrum ? (window / spectrum.hop) * spectrum.bands : 0;
  return Array.from({ length: count }, (_, n) => {
    const row = new Float32Array(width + (classes?.length ?? 0));
    if (frames) row.set(frames.subarray(n * width, (n + 1) * width));
    if (classes) row[width + classes.indexOf(folder)] = 1;
    return row;
  });
}

function matrixOf(rows: readonly Float32Array[]): Matrix {
  const cols = (rows[0] as Float32Array).length;
  const data = new Float32Array(rows.length * cols);
  rows.forEach((row, n) => {
    data.set(row, n * cols);
  });
  return { data, rows: rows.length, cols };
}

/** The same as a model was trained on. @throws FlowError DATA for another rate, or a class that it does not know */
export async function readSoundFor(
  path: string,
  sound: SoundDescription,
  window: number,
  classes: readonly string[] | null,
): Promise<Dataset> {
  const form = { ...sound, window, ...(classes && { labels: true as const }) };
  const dataset = await readSound(path, form, classes);
  requireRate(path, dataset.sound?.rate, sound.rate);
  return dataset;
}

function requireRate(path: string, got: number | undefined, wanted: number): void {
  if (got === wanted) return;
  const samples = `${wanted} samples a second, as the training data`;
  const sentence = expected('data', basename(path), samples, `${got}`, 'bring it to that rate');
  throw new FlowError('DATA', sentence);
}

/**
 * What a model that is told by a spectrum is told of a whole sound.
 *
 * @param told numbers of the whole, such as a class
 * @returns one row, and the moments of the sequence that it is of
 * @throws FlowError DATA for another rate, or a sound without a frame
 */
export async function contextOfSound(
  path: string,
  { rate, spectrum }: SoundDescription & { readonly spectrum: Spectrum },
  told: ArrayLike<number>,
): Promise<{ context: Matrix; length: number }> {
  const sound = await readWav(path);
  requireRate(path, sound.rate, rate);
  const { data, rows } = bandPowers(toMono(sound), spectrum);
  if (rows === 0) {
    const got = `${sound.samples.length / sound.channels}`;
    const wanted = `a frame of ${spectrum.hop} samples or more`;
    throw new FlowError('DATA', expected('data', path, wanted, got, 'give a longer sound'));
  }
  const row = new Float32Array(data.length + told.length);
  row.set(data);
  row.set(told, data.length);
  return { context: matrixOf([row]), length: rows * spectrum.hop };
}

/** Values of a model as samples. */
export function samplesOf(values: ArrayLike<number>, { encoding }: SoundDescription): Float32Array {
  if (encoding === 'mulaw') return muLawDecode(values);
  return encoding === 'linear' ? linearDecode(values) : Float32Array.from(values);
}

/** Sound from the command line: WAV files as rows of samples, and samples back into a WAV file. */
import { readdirSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { readWav, readWavFolder, soundRows } from '../data/readers/wav';
import { linearDecode, linearEncode, muLawDecode, muLawEncode, toMono } from '../data/sound';
import { expected, FlowError } from '../errors';
import type { Dataset } from './dataset';
import type { ReadingOptions } from './grammar/reading';

/** How samples are written: 256 mu-law levels, 65536 even levels, or numbers within [−1, 1]. */
export const soundEncodings = ['mulaw', 'linear', 'none'] as const;
export type SoundEncoding = (typeof soundEncodings)[number];

/** What a model remembers of the sound that it was trained on. */
export interface SoundDescription {
  readonly rate: number;
  readonly encoding: SoundEncoding;
}

/** Samples of a row where nothing is said. */
const usualWindow = 4000;

/** Whether a path is a WAV file, or a folder with one in it or below. */
export function holdsSound(path: string): boolean {
  const isWav = (name: string) => /\.wav$/i.test(name);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat !== undefined && isWav(path);
  return readdirSync(path, { recursive: true }).some((name) => isWav(String(name)));
}

/** The sounds of a file or folder, cut into rows. */
export async function readSound(
  path: string,
  options: Pick<ReadingOptions, 'window' | 'encoding'>,
): Promise<Dataset> {
  const { window = usualWindow, encoding = 'none' } = options;
  const isFolder = statSync(path).isDirectory();
  let [sounds, rate]: [Float32Array[], number] = [[], 0];
  if (isFolder) ({ sounds, rate } = await readWavFolder(path));
  else {
    const sound = await readWav(path);
    [sounds, rate] = [[toMono(sound)], sound.rate];
  }
  const { data, rows, cols } = soundRows(sounds, window);
  const levels =
    encoding === 'mulaw' ? muLawEncode(data) : encoding === 'linear' ? linearEncode(data) : data;
  return {
    source: path,
    rows: { data: levels, rows, cols },
    context: null,
    columns: null,
    contextColumns: null,
    image: null,
    sound: { rate, encoding },
    droppedRows: 0,
  };
}

/** The same as a model was trained on. @throws FlowError DATA for another rate */
export async function readSoundFor(
  path: string,
  sound: SoundDescription,
  window: number,
): Promise<Dataset> {
  const dataset = await readSound(path, { window, encoding: sound.encoding });
  const got = dataset.sound?.rate;
  if (got === sound.rate) return dataset;
  const wanted = `${sound.rate} samples a second, as the training data`;
  const sentence = expected('data', basename(path), wanted, `${got}`, 'bring it to that rate');
  throw new FlowError('DATA', sentence);
}

/** Values of a model as samples. */
export function samplesOf(values: ArrayLike<number>, { encoding }: SoundDescription): Float32Array {
  if (encoding === 'mulaw') return muLawDecode(values);
  return encoding === 'linear' ? linearDecode(values) : Float32Array.from(values);
}

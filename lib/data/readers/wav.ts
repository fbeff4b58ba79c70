/** WAV files and folders of them; sounds cut into rows. */
import { readdir } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fileError, openFile, readFully } from '../../io/file';
import { path as aPath, checkArgument, list, one } from '../../options';
import { requireSize } from '../../shape';
import { type SoundFile, toMono } from '../sound';
import { dataError, formatError } from '../table';

const READER = 'readWav';

/** Sizes that programs write which do not know how long a sound will be. */
const UNKNOWN_SIZE = 0x7f000000;

interface Format {
  readonly encoding: 'pcm' | 'float';
  readonly bits: number;
  readonly channels: number;
  readonly rate: number;
}

/** Readers of one sample, by encoding and bits, as numbers within [−1, 1]. */
const samplesOf: Record<string, (bytes: DataView, at: number) => number> = {
  pcm8: (bytes, at) => (bytes.getUint8(at) - 128) / 128,
  pcm16: (bytes, at) => bytes.getInt16(at, true) / 2 ** 15,
  pcm24: (bytes, at) => (bytes.getUint16(at, true) + bytes.getInt8(at + 2) * 2 ** 16) / 2 ** 23,
  pcm32: (bytes, at) => bytes.getInt32(at, true) / 2 ** 31,
  float32: (bytes, at) => bytes.getFloat32(at, true),
  float64: (bytes, at) => bytes.getFloat64(at, true),
};

/**
 * Reads a WAV file (RIFF): PCM of 8, 16, 24 or 32 bits, or floating point of 32 or 64, any number of channels, plain or
 * extensible. Whole numbers become k/2^(bits − 1).
 *
 * @throws FlowError FILE; FORMAT with the byte where the file is not what it should be; DATA for samples that are no numbers
 */
export async function readWav(path: string): Promise<SoundFile> {
  const bytes = await contentOf(path);
  const at = (position: number) => `${path}: byte ${position}`;
  const text = (position: number) =>
    String.fromCharCode(...new Uint8Array(bytes.buffer, position, 4));
  const need = (position: number, count: number, what: string) => {
    if (position + count <= bytes.byteLength) return;
    const got = `the end of the file after ${bytes.byteLength - position} bytes`;
    throw formatError(READER, at(position), `${what} of ${count} bytes`, got);
  };
  const tag = (position: number, wanted: string, name: string) => {
    need(position, 4, name);
    if (text(position) === wanted) return;
    const remedy = 'the file is no WAV file: convert it';
    throw formatError(READER, at(position), wanted, JSON.stringify(text(position)), remedy);
  };
  tag(0, 'RIFF', 'the RIFF header');
  tag(8, 'WAVE', 'the RIFF header');
  let format: Format | null = null;
  for (let position = 12; ; ) {
    if (position + 8 > bytes.byteLength) {
      const missing = format ? 'a data chunk' : 'a fmt chunk';
      throw formatError(READER, at(position), missing, 'the end of the file');
    }
    const [id, size, start] = [text(position), bytes.getUint32(position + 4, true), position + 8];
    if (id === 'fmt ') {
      need(start, size, 'a fmt chunk');
      format = formatOf(bytes, start, size, at);
    } else if (id === 'data') {
      if (!format) throw formatError(READER, at(position), 'a fmt chunk before the data', 'none');
      const left = bytes.byteLength - start;
      const streamed = size >= UNKNOWN_SIZE;
      if (!streamed && size > left) {
        const got = `${left}: the file is cut off`;
        throw formatError(READER, at(start), `${size} bytes of data`, got);
      }
      const { rate, channels, encoding, bits } = format;
      const samples = decode(bytes, start, streamed ? left : size, format, at);
      return { samples, rate, channels, encoding, bits, source: path };
    }
    // Chunks start at even places.
    position = start + size + (size % 2);
  }
}

async function contentOf(path: string): Promise<DataView> {
  const { handle, size } = await openFile(READER, path);
  try {
    const content = new Uint8Array(size);
    const got = await readFully(handle, content, 0);
    return new DataView(content.buffer, 0, got);
  } catch (error) {
    throw fileError(READER, path, 'a readable file', error);
  } finally {
    await handle.close();
  }
}

function formatOf(
  bytes: DataView,
  start: number,
  size: number,
  at: (position: number) => string,
): Format {
  if (size < 16) throw formatError(READER, at(start), 'a fmt chunk of 16 bytes or more', `${size}`);
  const word = (offset: number) => bytes.getUint16(start + offset, true);
  // Extensible: the code is the beginning of an identifier further on.
  const code = word(0) === 0xfffe && size >= 26 ? word(24) : word(0);
  const [channels, rate, bits] = [word(2), bytes.getUint32(start + 4, true), word(14)];
  const encoding = code === 1 ? 'pcm' : code === 3 ? 'float' : null;
  const remedy = 'convert the file to PCM, for instance of 16 bits';
  if (!encoding) {
    throw formatError(READER, at(start), 'format 1 (PCM) or 3 (float)', `${code}`, remedy);
  }
  if (!(`${encoding}${bits}` in samplesOf)) {
    const known = encoding === 'pcm' ? '8, 16, 24 or 32' : '32 or 64';
    throw formatError(READER, at(start + 14), `${known} bits a sample`, `${bits}`, remedy);
  }
  if (channels < 1) throw formatError(READER, at(start + 2), 'a channel or more', `${channels}`);
  if (rate < 1) throw formatError(READER, at(start + 4), 'a sample rate above 0', `${rate}`);
  const align = (channels * bits) / 8;
  if (word(12) !== align) {
    throw formatError(READER, at(start + 12), `${align} bytes a moment`, `${word(12)}`);
  }
  return { encoding, bits, channels, rate };
}

function decode(
  bytes: DataView,
  start: number,
  size: number,
  { encoding, bits, channels }: Format,
  at: (position: number) => string,
): Float32Array {
  const width = bits / 8;
  const moments = Math.floor(size / (width * channels));
  const sample = samplesOf[`${encoding}${bits}`] as (bytes: DataView, at: number) => number;
  const samples = new Float32Array(moments * channels);
  for (let i = 0; i < samples.length; i++) {
    const value = sample(bytes, start + i * width);
    if (!Number.isFinite(value)) {
      const remedy = 'write the file again';
      throw dataError(READER, at(start + i * width), 'a number', String(value), remedy);
    }
    samples[i] = value;
  }
  return samples;
}

/** The sounds of a folder. */
export interface WavFolder {
  /** One channel each: the mean of those of the file. */
  readonly sounds: Float32Array[];
  /** The path of each sound, from the folder, with `/` on every platform. */
  readonly files: string[];
  /** Moments a second, the same in all. */
  readonly rate: number;
}

/**
 * Reads the WAV files of a folder and of those below it, in the order of their names.
 *
 * @throws FlowError DATA for a folder without, and for a file of another rate; as {@link readWav}
 */
export async function readWavFolder(folder: string): Promise<WavFolder> {
  checkArgument('readWavFolder', 'folder', folder, aPath);
  const where = 'readWavFolder';
  let names: string[];
  try {
    names = await readdir(folder, { recursive: true });
  } catch (error) {
    throw fileError(where, folder, 'a folder', error);
  }
  // The same names in the same order everywhere.
  const slashed = names.map((name) => name.split(sep).join('/'));
  const files = slashed.filter((name) => /\.wav$/i.test(name)).sort();
  if (files.length === 0) {
    const remedy = 'give a folder of WAV files';
    throw dataError(where, folder, 'files that end with .wav', 'none', remedy);
  }
  const sounds: Float32Array[] = [];
  let rate = 0;
  for (const file of files) {
    const sound = await readWav(join(folder, file));
    if (rate !== 0 && sound.rate !== rate) {
      const wanted = `${rate} samples a second, as the files before`;
      const remedy = 'bring all files to one rate';
      throw dataError(where, sound.source, wanted, String(sound.rate), remedy);
    }
    rate = sound.rate;
    sounds.push(toMono(sound));
  }
  return { sounds, files, rate };
}

/**
 * Sounds cut into rows of `length` moments, one after the other; what is left over at the end of a sound is not used.
 *
 * @throws FlowError DATA where none is so long
 */
export function soundRows(
  sounds: readonly Float32Array[],
  length: number,
): { data: Float32Array; rows: number; cols: number } {
  checkArgument('soundRows', 'sounds', sounds, list);
  for (const [k, sound] of sounds.entries())
    checkArgument(
      'soundRows',
      `sounds[${k}]`,
      sound,
      one('a Float32Array', () => Float32Array),
    );
  requireSize('soundRows', 'length', length);
  const counts = sounds.map((sound) => Math.floor(sound.length / length));
  const rows = counts.reduce((sum, count) => sum + count, 0);
  if (rows === 0) {
    const longest = sounds.reduce((most, sound) => Math.max(most, sound.length), 0);
    const wanted = `a sound of ${length} samples or more`;
    throw dataError('soundRows', 'sounds', wanted, `${longest}`, 'cut them into shorter rows');
  }
  const data = new Float32Array(rows * length);
  let at = 0;
  for (const [k, sound] of sounds.entries()) {
    const part = sound.subarray(0, (counts[k] as number) * length);
    data.set(part, at);
    at += part.length;
  }
  return { data, rows, cols: length };
}

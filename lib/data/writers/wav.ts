/** Sounds as WAV files. */
import { expected, FlowError } from '../../errors';
import { writeFileAtomic } from '../../io/atomic';
import { anything, array, checkArgument, checkOptions, object } from '../../options';
import type { Sound } from '../sound';

export interface WavWriteOptions {
  /** PCM of so many bits (default 16), or floating point of 32. */
  readonly bits?: 8 | 16 | 24 | 32 | 'float';
}

function check(what: string, good: boolean, wanted: string, got: unknown): void {
  if (good) return;
  throw new FlowError('ARGUMENT', expected('writeWav', what, wanted, String(got), 'correct it'));
}

/**
 * Writes a WAV file, atomically. Samples of PCM are k = x·2^(bits − 1), rounded, and those beyond [−1, 1) the nearest there is.
 *
 * @throws FlowError ARGUMENT for samples that are no numbers, naming the first; FILE where the file cannot be written
 */
export async function writeWav(
  path: string,
  sound: Omit<Sound, 'samples' | 'channels'> & {
    readonly samples: ArrayLike<number>;
    readonly channels?: number;
  },
  options: WavWriteOptions = {},
): Promise<void> {
  checkArgument('writeWav', 'sound', sound, object);
  checkArgument('writeWav', 'samples', sound.samples, array);
  checkOptions('writeWav', options, { bits: anything });
  const { samples, rate, channels = 1 } = sound;
  const { bits = 16 } = options;
  check('bits', [8, 16, 24, 32, 'float'].includes(bits), '8, 16, 24, 32 or float', bits);
  check('rate', Number.isSafeInteger(rate) && rate > 0, 'a whole number above 0', rate);
  const whole = Number.isSafeInteger(channels) && channels > 0 && samples.length % channels === 0;
  check('channels', whole, `a divisor of the ${samples.length} samples`, channels);
  const width = bits === 'float' ? 4 : bits / 8;
  const size = samples.length * width;
  check('samples', size < 2 ** 32 - 64, 'less than 4 GiB', `${size} bytes`);
  const file = Buffer.alloc(44 + size + (size % 2));
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(file.length - 8, 4);
  file.write('WAVEfmt ', 8, 'latin1');
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(bits === 'float' ? 3 : 1, 20);
  file.writeUInt16LE(channels, 22);
  file.writeUInt32LE(rate, 24);
  file.writeUInt32LE(rate * channels * width, 28);
  file.writeUInt16LE(channels * width, 32);
  file.writeUInt16LE(8 * width, 34);
  file.write('data', 36, 'latin1');
  file.writeUInt32LE(size, 40);
  const top = bits === 'float' ? 0 : 2 ** (bits - 1);
  for (let i = 0; i < samples.length; i++) {
    const x = samples[i] as number;
    check(`samples[${i}]`, Number.isFinite(x), 'a number', x);
    const at = 44 + i * width;
    if (bits === 'float') file.writeFloatLE(x, at);
    else {
      const level = Math.min(top - 1, Math.max(-top, Math.round(x * top)));
      if (bits === 8) file.writeUInt8(level + 128, at);
      else file.writeIntLE(level, at, width);
    }
  }
  await writeFileAtomic(path, file);
}

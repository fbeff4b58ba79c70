/** Sound: samples, and the whole numbers that models of levels take for them. */
import { expected, FlowError } from '../errors';
import { array, checkArgument, count, object } from '../options';

/** What is heard: numbers within [−1, 1], the channels of a moment side by side. */
export interface Sound {
  readonly samples: Float32Array;
  /** Moments a second. */
  readonly rate: number;
  readonly channels: number;
}

/** A sound out of a file. */
export interface SoundFile extends Sound {
  readonly encoding: 'pcm' | 'float';
  /** Bits of a sample in the file. */
  readonly bits: number;
  readonly source: string;
}

function checkLevels(where: string, levels: number): void {
  if (Number.isSafeInteger(levels) && levels >= 2) return;
  throw new FlowError(
    'ARGUMENT',
    expected(where, 'levels', 'a whole number ≥ 2', String(levels), '256 is usual'),
  );
}

/** The level nearest to y in [−1, 1] of so many from −1 to 1. */
function nearest(y: number, levels: number): number {
  const level = Math.floor(((y + 1) / 2) * (levels - 1) + 0.5);
  return Math.min(levels - 1, Math.max(0, level));
}

/** Samples as levels 0 … levels − 1, evenly from −1 to 1. */
export function linearEncode(samples: ArrayLike<number>, levels = 65536): Int32Array {
  checkArgument('linearEncode', 'samples', samples, array);
  checkLevels('linearEncode', levels);
  return Int32Array.from(samples, (x) => nearest(x, levels));
}

/** Back from {@link linearEncode}. */
export function linearDecode(values: ArrayLike<number>, levels = 65536): Float32Array {
  checkArgument('linearDecode', 'values', values, array);
  checkLevels('linearDecode', levels);
  return Float32Array.from(values, (level) => (2 * level) / (levels - 1) - 1);
}

/**
 * Samples as levels 0 … levels − 1 after the companding sign(x)·ln(1 + μ|x|)/ln(1 + μ), μ = levels − 1: quiet ones finer than
 * loud ones. ITU-T G.711; WaveNet, section 2.2.
 */
export function muLawEncode(samples: ArrayLike<number>, levels = 256): Uint8Array | Int32Array {
  checkArgument('muLawEncode', 'samples', samples, array);
  checkLevels('muLawEncode', levels);
  const mu = levels - 1;
  const whole = Math.log1p(mu);
  const level = (x: number) => {
    const size = Math.log1p(mu * Math.min(1, Math.abs(x))) / whole;
    return nearest(x < 0 ? -size : size, levels);
  };
  return levels <= 256 ? Uint8Array.from(samples, level) : Int32Array.from(samples, level);
}

/** Back from {@link muLawEncode}: the middle of each level. */
export function muLawDecode(values: ArrayLike<number>, levels = 256): Float32Array {
  checkArgument('muLawDecode', 'values', values, array);
  checkLevels('muLawDecode', levels);
  const mu = levels - 1;
  const whole = Math.log1p(mu);
  return Float32Array.from(values, (level) => {
    const y = (2 * level) / mu - 1;
    const size = Math.expm1(Math.abs(y) * whole) / mu;
    return y < 0 ? -size : size;
  });
}

/** The mean of the channels. */
export function toMono(sound: Sound): Float32Array {
  checkArgument('toMono', 'sound', sound, object);
  checkArgument('toMono', 'samples', sound.samples, array);
  checkArgument('toMono', 'channels', sound.channels, count);
  const { samples, channels } = sound;
  if (channels === 1) return samples;
  const mono = new Float32Array(samples.length / channels);
  for (let i = 0; i < samples.length; i++)
    mono[Math.floor(i / channels)]! += samples[i]! / channels;
  return mono;
}

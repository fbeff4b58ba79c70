/** Random numbers of a training: everything follows from one seed. */
import { RandomStream } from '../ops';

/** Independent uses of one seed. */
const uses = {
  noise: 1,
  order: 2,
  evaluation: 3,
  calibration: 4,
  split: 5,
  initialization: 6,
} as const;

/** A seed below 2^53 out of a seed, a use and a count: splitmix64 (Steele et al. 2014), cut to 53 bits. */
function seedFor(seed: number, use: keyof typeof uses, count = 0): number {
  const mask = (1n << 64n) - 1n;
  const mix = (value: bigint): bigint => {
    let z = (value + 0x9e3779b97f4a7c15n) & mask;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    return z ^ (z >> 31n);
  };
  const word = BigInt.asUintN(64, BigInt(Math.trunc(seed)));
  const mixed = mix(mix(mix(word) ^ BigInt(uses[use])) ^ BigInt(count));
  return Number(mixed >> 11n);
}

export function streamFor(seed: number, use: keyof typeof uses, count = 0): RandomStream {
  return new RandomStream(seedFor(seed, use, count));
}

/** The order of the rows in an epoch: a permutation that follows from the seed and the epoch alone. */
export function epochOrder(seed: number, epoch: number, rows: number): Int32Array {
  const stream = streamFor(seed, 'order', epoch);
  try {
    return Int32Array.from(stream.permutation(rows));
  } finally {
    stream.dispose();
  }
}

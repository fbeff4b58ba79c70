/** What a sound is like from frame to frame, for models that are told (`local` of WaveNets). */
import { expected, FlowError } from '../errors';
import { stftPower } from '../ops';
import { anything, checkArgument, checkOptions, one, type Rules, required } from '../options';
import { tensor } from '../tensor/create';
import { scope } from '../tensor/scope';

export interface BandOptions {
  /** Bands from 0 to half the rate, wider from one to the next as those of the ear. */
  readonly bands: number;
  /** Samples of a frame. */
  readonly hop: number;
}

const bandRules: Rules<BandOptions> = { bands: required(anything), hop: required(anything) };

/** Power of the noise that rounding to 13 bits makes: silence is as loud. */
const silence = 1e-8;

/** Frames that are transformed at once. */
const mostFrames = 1024;

/**
 * The logarithm of the power of a sound, frame by frame and band by band: that of white noise is the logarithm of its variance in each.
 * A frame is looked at through Hann's window of 2·hop samples around its middle; beyond the ends of the sound is silence.
 *
 * @returns [⌊length/hop⌋, bands]: what is left over at the end is not used
 * @throws FlowError ARGUMENT
 */
export function bandPowers(
  samples: Float32Array,
  options: BandOptions,
): { data: Float32Array; rows: number; cols: number } {
  checkArgument(
    'bandPowers',
    'samples',
    samples,
    one('a Float32Array', () => Float32Array),
  );
  const { bands, hop } = checkOptions('bandPowers', options, bandRules);
  const check = (what: string, value: number, least: number, most: number) => {
    if (Number.isSafeInteger(value) && value >= least && value <= most) return;
    const wanted = `a whole number from ${least}${most < Infinity ? ` to ${most}` : ''}`;
    const remedy = 'hop is at least as large as bands';
    throw new FlowError('ARGUMENT', expected('bandPowers', what, wanted, `${value}`, remedy));
  };
  check('hop', hop, 2, Infinity);
  check('bands', bands, 1, hop);
  const window = 2 * hop;
  const bins = hop + 1;
  // Bin 0 is no sound.
  const edge = (band: number) => Math.round(1 + hop * (band / bands) ** 2);
  const rows = Math.floor(samples.length / hop);
  const data = new Float32Array(rows * bands);
  const before = Math.floor(hop / 2);
  for (let first = 0; first < rows; first += mostFrames) {
    const count = Math.min(mostFrames, rows - first);
    const padded = new Float32Array((count + 1) * hop);
    const from = first * hop - before;
    const start = Math.max(0, from);
    padded.set(samples.subarray(start, from + padded.length), start - from);
    const power = scope(() =>
      stftPower(tensor(padded, { shape: [1, padded.length] }), { window, hop }).dataSync(),
    );
    for (let frame = 0; frame < count; frame++) {
      for (let band = 0; band < bands; band++) {
        const low = Math.min(bins - 1, edge(band));
        const high = Math.max(low + 1, edge(band + 1));
        let sum = 0;
        for (let k = low; k < high; k++) sum += power[frame * bins + k] as number;
        // Σ of Hann's window squared is 3/8 of its length.
        const mean = sum / (high - low) / ((3 / 8) * window);
        data[(first + frame) * bands + band] = Math.log(mean + silence);
      }
    }
  }
  return { data, rows, cols: bands };
}

/**
 * Activation normalisation: y = x·exp(logScale) + shift, channel by channel, alike at every position. Kingma and Dhariwal,
 * "Glow", 2018, section 3.1: the first batch sets scale and shift so that each channel leaves with mean 0 and deviation 1;
 * from then on both are learned, and no batch has any influence.
 *
 * Until it was initialised it is the identity. `fit` initialises before the first step; that it was done is saved with the
 * model, so that neither loading nor resuming does it again.
 */
import { type FloatDType, floatArray } from '../dtype';
import { ChannelMoments, leastDeviation } from '../nn/channelMoments';
import { zeros } from '../nn/initialization';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import { above0, checkOptions, count, dtype, type Rules, required } from '../options';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { ChannelAffine } from './channelAffine';

export interface ActNormOptions {
  /** C. */
  readonly channels: number;
  /** Positions of a sample: height·width of an image; default 1, a table. D = positions·C. */
  readonly positions?: number;
  /** The least standard deviation that a channel is divided by in the initialisation; default 1e-4. */
  readonly floor?: number;
  readonly dtype?: FloatDType;
}

const actNormRules: Rules<ActNormOptions> = {
  channels: required(count),
  positions: count,
  floor: above0,
  dtype,
};

export class ActNorm extends ChannelAffine {
  readonly floor: number;
  override readonly shift: Tensor;
  readonly #initialized: Tensor;
  #constantChannels: readonly number[] = [];

  constructor(options: ActNormOptions) {
    super(checkOptions('ActNorm', options, actNormRules));
    this.floor = options.floor ?? leastDeviation;
    this.shift = this.parameter('shift', zeros([this.channels], this.dtype));
    this.#initialized = this.state('initialized', tensorOfArray(Int32Array.of(0), [1]));
  }

  /** Whether scale and shift were set from data. */
  get initialized(): boolean {
    return this.#initialized.item() !== 0;
  }

  override get initializes(): boolean {
    return !this.initialized;
  }

  /** Channels that varied less than `floor` in the rows that initialised it here; empty for a model that was loaded. */
  get constantChannels(): readonly number[] {
    return this.#constantChannels;
  }

  override *initialize(rows: Tensor, context: Tensor | null = null): Generator<void, void> {
    if (!this.initialized && rows.rows > 0) this.#set(rows);
    yield* super.initialize(rows, context);
  }

  #set(rows: Tensor): void {
    const moments = new ChannelMoments(this.channels);
    scope(() => moments.add(this.rowsOfPositions(rows)));
    const { logScale, constantChannels } = moments.logScale(this.floor);
    const shift = moments.mean.map((m, c) => -m * Math.exp(logScale[c] as number));
    this.logScale.write(floatArray(this.dtype, logScale));
    this.shift.write(floatArray(this.dtype, shift));
    this.#initialized.write(Int32Array.of(1));
    this.#constantChannels = constantChannels;
  }

  config(): Config {
    const { channels, positions, floor, dtype } = this;
    return { kind: 'actNorm', channels, positions, floor, dtype };
  }
}

register<ActNormOptions & Config & { kind: 'actNorm' }>('actNorm', (config) => new ActNorm(config));

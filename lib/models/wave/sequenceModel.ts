/** What WaveNets and their students share: sequences as rows, conditions of a context, pieces of bounded memory. */
import { isTracked } from '../../autograd/tape';
import type { FloatDType } from '../../dtype';
import { expected, FlowError } from '../../errors';
import { inPieces } from '../../flows/chunks';
import { contextRows } from '../../flows/context';
import { requireSamples } from '../../flows/draws';
import { requireFixedMap } from '../../flows/fixedMap';
import type { Dequantization } from '../../flows/flowParts';
import { aMap } from '../../flows/flowParts';
import { withoutUndefined } from '../../nn/module';
import { WaveCondition, type WaveSizes } from '../../nn/waveNetwork';
import { cast, columns, concatColumns, gatherRows, type RandomStream, reshape } from '../../ops';
import {
  anything,
  checkOptions,
  count,
  countOrNone,
  dtype,
  object,
  type Rules,
  required,
  seed,
} from '../../options';
import { requireSize } from '../../shape';
import { type Rows, rowsTensor } from '../../tensor/input';
import { scope } from '../../tensor/scope';
import { isRecording, type Tensor, tensorOfArray } from '../../tensor/tensor';
import type { GenerativeModel } from '../generative';
import { type ModelOptions, OptionsModel } from '../optionsModel';

/** Frames that say what is to be heard when (local conditioning), and what is said of the whole sequence (global). */
export interface WaveConditioning {
  /** `channels` numbers a frame, each frame for `hop` moments: the context's columns are frame after frame. */
  readonly local?: { readonly channels: number; readonly hop: number };
  /** Numbers of the whole sequence, behind the frames in the context. */
  readonly global?: number;
  /** Columns of the condition that the layers see at each moment. Default 16. */
  readonly condition?: number;
}

/** What a model of sequences is built with, whatever its networks. */
export interface SequenceOptions extends WaveConditioning {
  /** Of the numbers of a frame and of the whole sequence → as the layers see them, as of flows (FlowParts). */
  readonly contextPreprocessing?: ModelOptions['contextPreprocessing'];
  /** T: moments of a training sequence. Samples may be longer. */
  readonly length: number;
  /** What the sequences are, for whoever opens the file. */
  readonly description?: Readonly<Record<string, string>>;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

/** What each of them must be. */
export const sequenceRules: Rules<SequenceOptions & Omit<WaveSizes, 'stacks'>> = {
  local: object,
  global: countOrNone,
  condition: count,
  contextPreprocessing: aMap,
  length: required(count),
  description: object,
  layers: count,
  hidden: count,
  gates: count,
  skips: count,
  head: count,
  seed,
  dtype,
};

export interface WaveSampleOptions {
  /** Moments; default `length`. */
  readonly length?: number;
  /** One row for all samples, or one row a sample. */
  readonly context?: Rows | null;
  /**
   * Above 1 more varied, below 1 more probable values: logits are divided by it, deviations and scales multiplied. Default 1.
   */
  readonly temperature?: number;
  /** What the sequences begin with, one row for all or one a sample; the rest is drawn. */
  readonly start?: Rows | null;
  /** Default: a new one each call. */
  readonly seed?: number;
}

const sampleRules: Rules<WaveSampleOptions> = {
  length: anything,
  context: anything,
  temperature: anything,
  start: anything,
  seed,
};

/** Moments that go through the network at once where nothing is differentiated. */
export const mostMoments = 1 << 16;

/** The part of a model that makes a condition of its context. */
function conditionOf(options: SequenceOptions): WaveCondition | null {
  const { local, global = 0, condition = 16, length, seed, dtype } = options;
  if (!local && global === 0) return null;
  const { channels: frames, hop } = local ?? { channels: 0, hop: 1 };
  if (!Number.isSafeInteger(hop) || hop < 1 || length % hop !== 0) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        'WaveNet',
        'local.hop',
        `a divisor of the length ${length}`,
        String(hop),
        'sequences are whole frames',
      ),
    );
  }
  const sizes = { frames, hop, global, outputs: condition };
  return new WaveCondition(withoutUndefined({ ...sizes, seed, dtype }));
}

/** @throws FlowError ARGUMENT for numbers that no sequences can be drawn with */
function checkSample(samples: number, options: WaveSampleOptions, hop = 1): void {
  checkOptions('sample', options, sampleRules);
  const { length, temperature = 1 } = options;
  const check = (what: string, good: boolean, wanted: string, got: number, remedy: string) => {
    if (good) return;
    throw new FlowError('ARGUMENT', expected('sample', what, wanted, String(got), remedy));
  };
  const whole = (value: number, least: number) => Number.isSafeInteger(value) && value >= least;
  requireSamples(samples);
  const warm = temperature >= 0 && temperature < Infinity;
  check('temperature', warm, 'a number ≥ 0', temperature, '1 is the model itself');
  if (length === undefined) return;
  const wanted = hop > 1 ? `a multiple of the hop ${hop}` : 'a whole number ≥ 1';
  const remedy = hop > 1 ? 'sequences are whole frames' : 'pass how many moments to draw';
  check('length', whole(length, 1) && length % hop === 0, wanted, length, remedy);
}

export abstract class SequenceModel<O extends SequenceOptions = SequenceOptions>
  extends OptionsModel<O>
  implements GenerativeModel
{
  readonly features: number;
  readonly contextFeatures: number;
  readonly dtype: FloatDType;
  readonly preprocessing = null;
  abstract readonly dequantization: Dequantization | null;
  readonly description: Readonly<Record<string, string>>;
  /** Columns of the condition that the networks see at each moment; 0: none. */
  protected readonly conditionColumns: number;
  readonly #condition: WaveCondition | null;

  constructor(kind: string, options: O) {
    super(kind, options);
    const { length, dtype = 'float32', seed = 0, description = {} } = options;
    requireSize(this.constructor.name, 'length', length, 'pass the moments of a row');
    this.features = length;
    this.dtype = dtype;
    this.description = description;
    const condition = conditionOf({ ...options, seed: seed + 1, dtype });
    this.#condition = condition && this.child('condition', condition);
    this.conditionColumns = condition?.options.outputs ?? 0;
    this.contextFeatures = condition?.contextFeatures(length) ?? 0;
    const { local, global = 0 } = options;
    const told = (local?.channels ?? 0) + global;
    const ofContext = 'numbers of a frame and of the whole sequence';
    const { name } = this.constructor;
    requireFixedMap(name, 'contextPreprocessing', this.contextPreprocessing, told, ofContext);
  }

  /** [N] float64 of sequences of any length. @param context [N, contextFeatures] of that length, or null */
  abstract logProbOfRows(x: Tensor, context: Tensor | null): Tensor;

  abstract sample(samples: number, options?: WaveSampleOptions): Tensor;

  /**
   * Log-probability (of numbers: log-density) of sequences, in nats.
   *
   * @param x [N, T], T = `length`
   * @returns [N] float64
   */
  logProb(x: Rows, context: Rows | null = null): Tensor {
    return this.here(() => {
      const rows = cast(rowsTensor('logProb', 'x', x, this.features, this.dtype), this.dtype);
      return this.logProbOfRows(rows, contextRows('logProb', this, context, rows.rows));
    });
  }

  /** −log p / (T·ln 2). */
  bitsPerDim(logProb: number): number {
    return -logProb / (this.features * Math.LN2);
  }

  dequantize(x: Tensor, _stream: RandomStream): Tensor {
    return cast(x, this.dtype);
  }

  /** What it is conditioned on, as it was built. */
  get conditioning(): WaveConditioning {
    const { local, global, condition } = this.options;
    return structuredClone(withoutUndefined({ local, global, condition }));
  }

  /** `contextPreprocessing` takes each frame beside what is said of the whole sequence. */
  override conditions(context: Tensor | null): Tensor | null {
    const { contextPreprocessing: map, options } = this;
    if (!context || !map) return context;
    const { local, global = 0 } = options;
    if (!local) return map.forward(context).y;
    return scope(() => {
      const { rows, cols } = context;
      const inFrames = cols - global;
      const count = inFrames / local.channels;
      const frames = reshape(columns(context, 0, inFrames), [rows * count, local.channels]);
      if (global === 0) return reshape(map.forward(frames).y, context.shape);
      const rowsAt = (many: number, at: (k: number) => number) =>
        tensorOfArray(
          Int32Array.from({ length: many }, (_, k) => at(k)),
          [many],
        );
      const whole = gatherRows(
        columns(context, inFrames, cols),
        rowsAt(rows * count, (k) => Math.floor(k / count)),
      );
      const { y } = map.forward(concatColumns([frames, whole]));
      return concatColumns([
        reshape(columns(y, 0, local.channels), [rows, inFrames]),
        gatherRows(
          columns(y, local.channels, y.cols),
          rowsAt(rows, (n) => n * count),
        ),
      ]);
    });
  }

  /** The condition at each moment of sequences of this length. */
  protected conditionAt(context: Tensor | null, length: number): Tensor | null {
    const given = this.#condition && this.conditions(context);
    return this.#condition && given && this.#condition.apply(given, length);
  }

  /** The context of sequences that are drawn, of this length. */
  protected contextOfSamples(context: Rows | null, samples: number, length: number): Tensor | null {
    const contextFeatures = this.#condition?.contextFeatures(length) ?? 0;
    return contextRows('sample', { contextFeatures, dtype: this.dtype }, context, samples);
  }

  /** @throws FlowError ARGUMENT for numbers that no sequences can be drawn with */
  protected checkSample(samples: number, options: WaveSampleOptions): void {
    checkSample(samples, options, this.options.local?.hop);
  }

  /** map over pieces of the sequences, so that memory does not grow with their number; in one piece under a tape. */
  protected bySequences(
    x: Tensor,
    context: Tensor | null,
    map: (x: Tensor, context: Tensor | null) => Tensor,
  ): Tensor {
    const whole = isRecording() || isTracked([x, context, ...this.parameters()]);
    const together = whole ? x.rows : Math.floor(mostMoments / x.cols);
    return inPieces(x, context, together, (...piece) => [map(...piece)])[0] as Tensor;
  }
}

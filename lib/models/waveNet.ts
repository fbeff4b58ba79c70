/**
 * WaveNet: p(x) = Π p(x_t | x_<t) of sequences, by dilated causal convolutions.
 * Van den Oord et al. 2016, "WaveNet: A Generative Model for Raw Audio"; outputs as there (a softmax over mu-law levels), as in
 * "Parallel WaveNet" (2017, a mixture of discretised logistics), or as in ClariNet (Ping et al. 2018, one Gaussian).
 */
import { isTracked } from '../autograd/tape';
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { contextRows } from '../flows/context';
import type { Dequantization } from '../flows/flow';
import { loadModuleOf, type ModelFileOptions, saveModule } from '../flows/modelFile';
import { type Config, Module, withoutUndefined } from '../nn/module';
import { register } from '../nn/registry';
import { receptiveField, WaveCondition, WaveNetwork } from '../nn/waveNetwork';
import {
  add,
  affineScalar,
  cast,
  categoricalLogProb,
  columns,
  concatRows,
  discretizedLogisticMixtureLogProb,
  exp,
  maximum,
  mul,
  neg,
  normalLogProb,
  RandomStream,
  reshape,
  rowsView,
  sub,
  sum,
  waveGenerate,
} from '../ops';
import { isTable, type Rows, rowsTensor } from '../tensor/input';
import { scope } from '../tensor/scope';
import { isRecording, Tensor, tensorOfArray } from '../tensor/tensor';
import type { GenerativeModel } from './generative';

/** What a value of the sequence is, and how its distribution is written. */
export type WaveLikelihood =
  /** Levels 0 … levels − 1, default 256, each with a probability of its own: for speech by `muLawEncode`. */
  | { readonly kind: 'categorical'; readonly levels?: number }
  /**
   * Levels, default 65536 (16 bits), by a mixture of discretised logistics of so many components, default 10; logarithms of
   * scales, in units of which the levels fill [−1, 1], are not below leastLogScale, default −12.
   */
  | {
      readonly kind: 'logistic';
      readonly components?: number;
      readonly levels?: number;
      readonly leastLogScale?: number;
    }
  /** Numbers; the logarithm of the deviation is not below leastLogScale, default −9 as in ClariNet. */
  | { readonly kind: 'normal'; readonly leastLogScale?: number };

/** Frames that say what is to be heard when (local conditioning), and what is said of the whole sequence (global). */
export interface WaveConditioning {
  /** `channels` numbers a frame, each frame for `hop` moments: the context's columns are frame after frame. */
  readonly local?: { readonly channels: number; readonly hop: number };
  /** Numbers of the whole sequence, behind the frames in the context. */
  readonly global?: number;
  /** Columns of the condition that the layers see at each moment. Default 16. */
  readonly condition?: number;
}

export interface WaveSizes {
  /** Layers of a stack, with dilations 1, 2, 4, … Default 10. */
  readonly layers?: number;
  /** Default 3. */
  readonly stacks?: number;
  /** Channels of the residual path; default 64. */
  readonly hidden?: number;
  /** Channels behind the gates; default `hidden`. */
  readonly gates?: number;
  /** Channels of the skips; default `hidden`. */
  readonly skips?: number;
  /** Channels between the skips and the outputs; default `skips`. */
  readonly head?: number;
}

export interface WaveNetOptions extends WaveSizes, WaveConditioning {
  /** T: moments of a training sequence. Samples may be longer. */
  readonly length: number;
  /** Default categorical. */
  readonly likelihood?: WaveLikelihood;
  /** What the sequences are, for whoever opens the file. */
  readonly description?: Readonly<Record<string, string>>;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

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

interface Distribution {
  readonly kind: WaveLikelihood['kind'];
  readonly levels: number;
  readonly components: number;
  readonly leastLogScale: number;
  /** Outputs of the network. */
  readonly columns: number;
}

function distributionOf(likelihood: WaveLikelihood): Distribution {
  switch (likelihood.kind) {
    case 'categorical': {
      const { levels = 256 } = likelihood;
      return { kind: 'categorical', levels, components: 0, leastLogScale: 0, columns: levels };
    }
    case 'logistic': {
      const { components = 10, levels = 65536, leastLogScale = -12 } = likelihood;
      return { kind: 'logistic', levels, components, leastLogScale, columns: 3 * components };
    }
    case 'normal': {
      const { leastLogScale = -9 } = likelihood;
      return { kind: 'normal', levels: 2, components: 0, leastLogScale, columns: 2 };
    }
    default:
      throw new FlowError(
        'ARGUMENT',
        expected(
          'WaveNet',
          'likelihood.kind',
          'categorical, logistic or normal',
          String((likelihood as WaveLikelihood).kind),
          'pass one of them',
        ),
      );
  }
}

/** Moments that go through the network at once where nothing is differentiated. */
const mostMoments = 1 << 16;

/** The part of a model that makes a condition of its context. */
export function conditionOf(
  options: WaveConditioning & { length: number; seed?: number; dtype?: FloatDType },
): WaveCondition | null {
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
export function checkSample(samples: number, options: WaveSampleOptions, hop = 1): void {
  const { length, temperature = 1 } = options;
  const check = (what: string, good: boolean, wanted: string, got: number, remedy: string) => {
    if (good) return;
    throw new FlowError('ARGUMENT', expected('sample', what, wanted, String(got), remedy));
  };
  const whole = (value: number, least: number) => Number.isSafeInteger(value) && value >= least;
  check('samples', whole(samples, 0), 'a whole number ≥ 0', samples, 'pass how many to draw');
  const warm = temperature >= 0 && temperature < Infinity;
  check('temperature', warm, 'a number ≥ 0', temperature, '1 is the model itself');
  if (length === undefined) return;
  const wanted = hop > 1 ? `a multiple of the hop ${hop}` : 'a whole number ≥ 1';
  const remedy = hop > 1 ? 'sequences are whole frames' : 'pass how many moments to draw';
  check('length', whole(length, 1) && length % hop === 0, wanted, length, remedy);
}

/** The beginning of `samples` sequences as a tensor; a single row is repeated. */
function beginning(start: Rows, samples: number, length: number, dtype: FloatDType): Tensor {
  // Flat numbers are one row.
  const first = Array.isArray(start) && Array.isArray(start[0]) ? (start[0] as number[]) : start;
  const width = start instanceof Tensor || isTable(start) ? start.cols : (first as number[]).length;
  const rows = cast(rowsTensor('sample', 'start', start, width, dtype), dtype);
  if (rows.cols <= length && (rows.rows === 1 || rows.rows === samples)) {
    return rows.rows === samples ? rows : concatRows(Array.from({ length: samples }, () => rows));
  }
  throw new FlowError(
    'SHAPE',
    expected(
      'sample',
      'start',
      `1 or ${samples} rows of up to ${length} columns`,
      `${rows.rows} of ${rows.cols}`,
      'make length larger, or pass one row a sample',
    ),
  );
}

/** map over pieces of the sequences, so that memory does not grow with their number; in one piece under a tape. */
export function bySequences(
  model: Module,
  x: Tensor,
  context: Tensor | null,
  map: (x: Tensor, context: Tensor | null) => Tensor,
): Tensor {
  const together = Math.max(1, Math.floor(mostMoments / x.cols));
  const whole = isRecording() || isTracked([x, context, ...model.parameters()]);
  if (whole || x.rows <= together) return map(x, context);
  return scope(() => {
    const parts: Tensor[] = [];
    for (let first = 0; first < x.rows; first += together) {
      const last = Math.min(x.rows, first + together);
      const part = () =>
        map(rowsView(x, first, last), context ? rowsView(context, first, last) : null);
      parts.push(scope(part));
    }
    return concatRows(parts);
  });
}

export class WaveNet extends Module implements GenerativeModel {
  readonly features: number;
  readonly contextFeatures: number;
  readonly dtype: FloatDType;
  readonly preprocessing = null;
  readonly dequantization: Dequantization | null;
  readonly description: Readonly<Record<string, string>>;
  readonly network: WaveNetwork;
  readonly likelihood: Distribution;
  readonly #condition: WaveCondition | null;
  readonly #options: WaveNetOptions;

  constructor(options: WaveNetOptions) {
    super();
    const { length, likelihood = { kind: 'categorical' }, dtype = 'float32', seed = 0 } = options;
    if (!Number.isSafeInteger(length) || length < 1) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'WaveNet',
          'length',
          'a whole number ≥ 1',
          `${length}`,
          'pass the moments of a row',
        ),
      );
    }
    this.#options = structuredClone(options);
    this.likelihood = distributionOf(likelihood);
    this.features = length;
    this.dtype = dtype;
    const { levels: count } = this.likelihood;
    this.dequantization = this.likelihood.kind === 'normal' ? null : { levels: count };
    this.description = options.description ?? {};
    const condition = conditionOf({ ...options, seed: seed + 1, dtype });
    this.#condition = condition && this.child('condition', condition);
    this.contextFeatures = condition?.contextFeatures(length) ?? 0;
    const { layers, stacks, hidden, gates, skips, head } = options;
    const levels = this.likelihood.kind === 'categorical' ? this.likelihood.levels : undefined;
    this.network = this.child(
      'network',
      new WaveNetwork(
        withoutUndefined({
          ...{ layers, stacks, hidden, gates, skips, head, levels, seed, dtype },
          outputs: this.likelihood.columns,
          condition: condition?.options.outputs ?? 0,
        }),
      ),
    );
  }

  /** Moments before t that the distribution at t depends on. */
  get receptiveField(): number {
    const { layers = 10, stacks = 3 } = this.#options;
    return receptiveField(layers, stacks);
  }

  /** Levels as the numbers that the network reads: of a mixture on [−1, 1]; others as they are. */
  toValues(x: Tensor): Tensor {
    return this.likelihood.kind === 'logistic'
      ? affineScalar(x, 2 / (this.likelihood.levels - 1), -1)
      : x;
  }

  /**
   * What describes the distributions: logits, parameters of components, or [mean | log deviation] with its least value put in.
   *
   * @param values [N, T] as {@link toValues} makes them
   * @param context [N, contextFeatures] of this length, or null
   * @returns [N·T, …]; row t of a sequence depends on its values before t only
   */
  parametersOf(values: Tensor, context: Tensor | null): Tensor {
    return scope(() => {
      const condition = this.#condition && context && this.#condition.apply(context, values.cols);
      return this.network.apply(values, condition);
    });
  }

  /** [mean, log deviation], each [N·T, 1], of a normal likelihood. */
  normalOf(parameters: Tensor): { mean: Tensor; logScale: Tensor } {
    const { leastLogScale } = this.likelihood;
    return {
      mean: columns(parameters, 0, 1),
      logScale: maximum(columns(parameters, 1, 2), leastLogScale),
    };
  }

  /**
   * @param x [N, T]: levels or numbers, as the likelihood says; T need not be `length`
   * @returns [N] float64
   */
  logProbOfRows(x: Tensor, context: Tensor | null): Tensor {
    return bySequences(this, x, context, (part, its) =>
      scope(() => {
        const { kind, levels, leastLogScale } = this.likelihood;
        const length = part.cols;
        const parameters = this.parametersOf(this.toValues(part), its);
        const targets = reshape(part, [part.rows * length, 1]);
        const positions = { positions: length };
        if (kind === 'categorical') return categoricalLogProb(parameters, targets, positions);
        if (kind === 'logistic') {
          const mixture = { levels, leastLogScale, ...positions };
          return discretizedLogisticMixtureLogProb(parameters, targets, mixture);
        }
        const { mean, logScale } = this.normalOf(parameters);
        const z = mul(sub(targets, mean), exp(neg(logScale)));
        const byMoment = (v: Tensor) => reshape(v, part.shape);
        const logDet = sum(cast(byMoment(logScale), 'float64'), -1);
        return sub(normalLogProb(byMoment(z)), logDet);
      }),
    );
  }

  /**
   * Log-probability (of numbers: log-density) of sequences, in nats.
   *
   * @param x [N, T], T = `length`
   * @returns [N] float64
   */
  logProb(x: Rows, context: Rows | null = null): Tensor {
    return this.here(() => {
      const rows = cast(rowsTensor('logProb', 'x', x, this.features, this.dtype), this.dtype);
      const its = contextRows('logProb', this, context, rows.rows);
      return this.logProbOfRows(rows, its);
    });
  }

  /** −log p / (T·ln 2). */
  bitsPerDim(logProb: number): number {
    return -logProb / (this.features * Math.LN2);
  }

  dequantize(x: Tensor): Tensor {
    return cast(x, this.dtype);
  }

  /** The random numbers that {@link sample} takes: uniform, two a moment for a mixture, or normal. */
  noise(samples: number, length: number, stream: RandomStream): Tensor {
    const { kind } = this.likelihood;
    if (kind === 'normal') return stream.normal([samples, length], this.dtype);
    return stream.uniform([samples, kind === 'logistic' ? 2 * length : length], this.dtype);
  }

  /**
   * Draws sequences, moment after moment, in one native call: each moment costs every layer once.
   *
   * @returns [samples, length], levels or numbers as the likelihood says
   */
  sample(samples: number, options: WaveSampleOptions = {}): Tensor {
    const { length = this.features, seed = Math.floor(Math.random() * 2 ** 48) } = options;
    checkSample(samples, options, this.#options.local?.hop);
    return this.here(() => {
      const stream = new RandomStream(seed);
      const noise = this.noise(samples, length, stream);
      stream.dispose();
      return this.sampleFrom(noise, options);
    });
  }

  /** The same of given random numbers: see {@link noise}. */
  sampleFrom(
    noise: Tensor,
    {
      context = null,
      temperature = 1,
      start = null,
    }: Omit<WaveSampleOptions, 'seed' | 'length'> = {},
  ): Tensor {
    const { kind, levels, leastLogScale } = this.likelihood;
    const length = kind === 'logistic' ? noise.cols / 2 : noise.cols;
    return scope(() => {
      const contextFeatures = this.#condition?.contextFeatures(length) ?? 0;
      const wanted = { contextFeatures, dtype: this.dtype };
      const its = contextRows('sample', wanted, context, noise.rows);
      const condition = this.#condition && its && this.#condition.apply(its, length);
      const given = start && beginning(start, noise.rows, length, this.dtype);
      const options = { kind, levels, leastLogScale, condition, given } as const;
      const { tensors } = this.network;
      if (temperature === 1) return waveGenerate(noise, tensors, options);
      if (kind === 'normal')
        return waveGenerate(affineScalar(noise, temperature), tensors, options);
      return waveGenerate(noise, { ...tensors, ...this.#tempered(temperature) }, options);
    });
  }

  /** The last layer, for another temperature: logits divided by it, of a mixture logarithms of scales moved by its logarithm. */
  #tempered(temperature: number): { lastWeight: Tensor; lastBias: Tensor } {
    const { lastWeight, lastBias } = this.network.tensors;
    const { kind, components } = this.likelihood;
    const logits = kind === 'logistic' ? components : lastWeight.rows;
    // 1e-6 draws the most probable value.
    const inverse = 1 / Math.max(1e-6, temperature);
    const of = (value: (row: number) => number) =>
      cast(
        tensorOfArray(
          Float64Array.from({ length: lastWeight.rows }, (_, o) => value(o)),
          [lastWeight.rows],
        ),
        this.dtype,
      );
    const factor = of((o) => (o < logits ? inverse : 1));
    const shift = of((o) => (o >= 2 * logits ? Math.max(-60, Math.log(temperature)) : 0));
    return {
      lastWeight: mul(lastWeight, reshape(factor, [lastWeight.rows, 1])),
      lastBias: add(mul(lastBias, factor), shift),
    };
  }

  /** Writes architecture, weights and state into one safetensors file, atomically. */
  async save(path: string, options: ModelFileOptions = {}): Promise<void> {
    await saveModule(this, path, options);
  }

  /** Reads what `save` wrote. @throws FlowError FILE, FORMAT */
  static async load(path: string): Promise<WaveNet> {
    const isOne = (module: Module) => module instanceof WaveNet;
    return loadModuleOf('WaveNet.load', path, 'a WaveNet', isOne);
  }

  config(): Config {
    const { likelihood, local, description, ...rest } = structuredClone(this.#options);
    return withoutUndefined({
      kind: 'waveNet',
      ...rest,
      likelihood,
      local,
      description,
    }) as Config;
  }
}

register<WaveNetOptions & Config & { readonly kind: 'waveNet' }>(
  'waveNet',
  (config) => new WaveNet(config),
);

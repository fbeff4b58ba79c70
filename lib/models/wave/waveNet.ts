/**
 * WaveNet: p(x) = Π p(x_t | x_<t) of sequences, by dilated causal convolutions.
 * Van den Oord et al. 2016, "WaveNet: A Generative Model for Raw Audio"; outputs as there (a softmax over mu-law levels), as in
 * "Parallel WaveNet" (2017, a mixture of discretised logistics), or as in ClariNet (Ping et al. 2018, one Gaussian).
 */
import type { FloatDType } from '../../dtype';
import { expected, FlowError } from '../../errors';
import { freshSeed, requireDrawn } from '../../flows/draws';
import type { Dequantization } from '../../flows/flowParts';
import { withoutUndefined } from '../../nn/module';
import { receptiveField, WaveNetwork, type WaveSizes } from '../../nn/waveNetwork';
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
  sub,
  sum,
  waveGenerate,
} from '../../ops';
import { checkOptions, count, object, type Rules } from '../../options';
import { isTable, type Rows, rowsTensor } from '../../tensor/input';
import { scope } from '../../tensor/scope';
import { Tensor, tensorOfArray } from '../../tensor/tensor';
import { registerOptions } from '../optionsModel';
import { distributionOf, type WaveDistribution, type WaveLikelihood } from './likelihood';
import {
  SequenceModel,
  type SequenceOptions,
  sequenceRules,
  type WaveSampleOptions,
} from './sequenceModel';

export interface WaveNetOptions extends WaveSizes, SequenceOptions {
  /** Default categorical. */
  readonly likelihood?: WaveLikelihood;
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

const waveNetRules: Rules<WaveNetOptions> = {
  ...sequenceRules,
  stacks: count,
  likelihood: object,
};

export class WaveNet extends SequenceModel<WaveNetOptions> {
  readonly dequantization: Dequantization | null;
  readonly network: WaveNetwork;
  readonly likelihood: WaveDistribution;
  /** Moments before t that the distribution at t depends on. */
  readonly receptiveField: number;

  constructor(options: WaveNetOptions) {
    super('waveNet', checkOptions('WaveNet', options, waveNetRules));
    const { likelihood = { kind: 'categorical' }, dtype = 'float32', seed = 0 } = options;
    this.likelihood = distributionOf(likelihood);
    const { levels: count } = this.likelihood;
    this.dequantization = this.likelihood.kind === 'normal' ? null : { levels: count };
    const { layers, stacks, hidden, gates, skips, head } = options;
    this.receptiveField = receptiveField(layers ?? 10, stacks ?? 3);
    const levels = this.likelihood.kind === 'categorical' ? this.likelihood.levels : undefined;
    this.network = this.child(
      'network',
      new WaveNetwork(
        withoutUndefined({
          ...{ layers, stacks, hidden, gates, skips, head, levels, seed, dtype },
          outputs: this.likelihood.columns,
          condition: this.conditionColumns,
        }),
      ),
    );
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
      return this.network.apply(values, this.conditionAt(context, values.cols));
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
    return this.bySequences(x, context, (part, its) =>
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
    this.checkSample(samples, options);
    const { length = this.features, seed = freshSeed() } = options;
    return this.here(() => {
      const stream = new RandomStream(seed);
      const noise = this.noise(samples, length, stream);
      stream.dispose();
      return requireDrawn(this.sampleFrom(noise, options));
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
      const its = this.contextOfSamples(context, noise.rows, length);
      const condition = this.conditionAt(its, length);
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
}

registerOptions<WaveNetOptions>('waveNet', WaveNet);

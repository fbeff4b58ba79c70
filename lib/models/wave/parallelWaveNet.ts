/**
 * Parallel WaveNet: a student that turns noise into a sequence in a few passes, whatever the length, distilled from a WaveNet.
 * Van den Oord et al. 2017, "Parallel WaveNet: Fast High-Fidelity Speech Synthesis"; Ping et al. 2018, "ClariNet".
 *
 * The student is a chain of inverse autoregressive flows x ← x·s(x_<t) + m(x_<t) with a WaveNet each: sampling is one pass a
 * flow, and log p of a given sequence, which needs the noise back, goes moment after moment (in one native call a flow).
 */
import { isTracked } from '../../autograd/tape';
import { StandardLogistic, StandardNormal } from '../../distributions';
import { expected, FlowError } from '../../errors';
import { freshSeed } from '../../flows/draws';
import { withoutUndefined } from '../../nn/module';
import { receptiveField, WaveNetwork, type WaveSizes } from '../../nn/waveNetwork';
import {
  add,
  cast,
  columns,
  concatColumns,
  exp,
  logisticLogProb,
  maximum,
  mul,
  normalLogProb,
  RandomStream,
  reshape,
  rowsView,
  sub,
  sum,
  waveGenerate,
} from '../../ops';
import { checkOptions, counts, finite, type Rules, word } from '../../options';
import { scope } from '../../tensor/scope';
import type { Tensor } from '../../tensor/tensor';
import { registerOptions } from '../optionsModel';
import {
  mostMoments,
  SequenceModel,
  type SequenceOptions,
  sequenceRules,
  type WaveSampleOptions,
} from './sequenceModel';

export interface ParallelWaveNetOptions extends Omit<WaveSizes, 'stacks'>, SequenceOptions {
  /** Stacks of the WaveNet of each flow. Default [1, 1, 1, 3]: four flows, as in the paper. */
  readonly stacks?: readonly number[];
  /** Distribution of the noise. Default logistic, as in the paper; normal for ClariNet's divergence in closed form. */
  readonly base?: 'logistic' | 'normal';
  /** Logarithm of the scale that all flows together start with. Default −3: speech is small beside noise of scale 1. */
  readonly initialLogScale?: number;
  /** The logarithm of the scale of a flow is not below it. Default −7. */
  readonly leastLogScale?: number;
}

/** x = z·exp(logScale) + mean, where mean and scale at t depend on the noise before t: all [N, T]. */
export interface StudentPass {
  readonly x: Tensor;
  readonly mean: Tensor;
  readonly logScale: Tensor;
}

const parallelWaveNetRules: Rules<ParallelWaveNetOptions> = {
  ...sequenceRules,
  stacks: counts,
  base: word('logistic', 'normal'),
  initialLogScale: finite,
  leastLogScale: finite,
};

export class ParallelWaveNet extends SequenceModel<ParallelWaveNetOptions> {
  readonly dequantization = null;
  readonly base: 'logistic' | 'normal';
  /** Moments before t whose noise a sequence at t depends on. */
  readonly receptiveField: number;
  readonly #networks: readonly WaveNetwork[];
  readonly #least: number;

  constructor(options: ParallelWaveNetOptions) {
    super('parallelWaveNet', checkOptions('ParallelWaveNet', options, parallelWaveNetRules));
    const { stacks = [1, 1, 1, 3], base = 'logistic', dtype = 'float32', seed = 0 } = options;
    const { initialLogScale = -3, leastLogScale = -7 } = options;
    if (stacks.length === 0) {
      throw new FlowError(
        'ARGUMENT',
        expected('ParallelWaveNet', 'stacks', 'at least one flow', 'none', 'default: [1, 1, 1, 3]'),
      );
    }
    if (base !== 'logistic' && base !== 'normal') {
      throw new FlowError(
        'ARGUMENT',
        expected('ParallelWaveNet', 'base', 'logistic or normal', `${base}`, 'pass one of them'),
      );
    }
    this.base = base;
    this.#least = leastLogScale;
    const { layers, hidden, gates, skips, head } = options;
    this.receptiveField = stacks.reduce((sum, n) => sum + receptiveField(layers ?? 10, n), 0);
    this.#networks = stacks.map((count, k) => {
      const network = new WaveNetwork(
        withoutUndefined({
          ...{ layers, hidden, gates, skips, head, dtype, stacks: count },
          outputs: 2,
          condition: this.conditionColumns,
          zeroInitialized: true,
          seed: seed + 2 + k,
        }),
      );
      if (k + 1 === stacks.length) {
        const start = [0, initialLogScale];
        network.lastBias.write(
          dtype === 'float32' ? Float32Array.from(start) : Float64Array.from(start),
        );
      }
      return this.child(`flows.${k}`, network);
    });
  }

  /** Noise of the base, [N, T]. */
  drawNoise(samples: number, length: number, stream: RandomStream, temperature = 1): Tensor {
    const base =
      this.base === 'logistic'
        ? new StandardLogistic(length, this.dtype)
        : new StandardNormal(length, this.dtype);
    return base.sample(samples, stream, temperature);
  }

  /**
   * Noise → sequence, one pass a flow, differentiable.
   *
   * @param z [N, T]
   * @param context [N, contextFeatures] of this length, or null
   */
  pass(z: Tensor, context: Tensor | null): StudentPass {
    return scope(() => this.#through(z, this.conditionAt(context, z.cols)));
  }

  /** @param condition [N·T, C] */
  #through(z: Tensor, condition: Tensor | null): StudentPass {
    return scope(() => {
      let [x, mean, logScale]: [Tensor, Tensor | null, Tensor | null] = [z, null, null];
      for (const network of this.#networks) {
        const outputs = network.apply(x, condition);
        const shift = reshape(columns(outputs, 0, 1), z.shape);
        const log = maximum(reshape(columns(outputs, 1, 2), z.shape), this.#least);
        const scale = exp(log);
        x = add(mul(x, scale), shift);
        mean = mean ? add(mul(mean, scale), shift) : shift;
        logScale = logScale ? add(logScale, log) : log;
      }
      return { x, mean: mean as Tensor, logScale: logScale as Tensor };
    });
  }

  /** Sequence → noise, moment after moment; not differentiable. @param x [N, T] */
  invert(x: Tensor, context: Tensor | null): Tensor {
    return scope(() => {
      const condition = this.conditionAt(context, x.cols);
      return this.#networks.reduceRight(
        (y, network) =>
          waveGenerate(y, network.tensors, {
            kind: 'inverse',
            leastLogScale: this.#least,
            condition,
          }),
        x,
      );
    });
  }

  /**
   * Log-density of numbers, by the inverse: see {@link invert}. No gradient: a student is trained by `distillation`.
   *
   * @returns [N] float64
   */
  logProbOfRows(x: Tensor, context: Tensor | null): Tensor {
    if (isTracked([x, context, ...this.parameters()])) {
      throw new FlowError(
        'UNSUPPORTED',
        expected(
          'ParallelWaveNet',
          'gradient of log p',
          'none',
          'one wanted',
          'pass { loss: distillation(teacher) } to fit',
        ),
      );
    }
    return this.bySequences(x, context, (part, its) =>
      scope(() => {
        const z = this.invert(part, its);
        const { logScale } = this.pass(z, its);
        const ofNoise = this.base === 'logistic' ? logisticLogProb(z) : normalLogProb(z);
        return sub(ofNoise, sum(cast(logScale, 'float64'), -1));
      }),
    );
  }

  /**
   * Draws sequences, all moments at once.
   *
   * @param options `temperature`: spread of the noise
   * @returns [samples, length]
   */
  sample(samples: number, options: WaveSampleOptions = {}): Tensor {
    const { length = this.features, seed = freshSeed() } = options;
    this.checkSample(samples, options);
    return this.here(() => {
      const stream = new RandomStream(seed);
      const z = this.drawNoise(samples, length, stream, options.temperature ?? 1);
      stream.dispose();
      const context = this.contextOfSamples(options.context ?? null, samples, length);
      return this.bySequences(z, context, (part, its) =>
        part.cols > mostMoments ? this.#inWindows(part, its) : this.pass(part, its).x,
      );
    });
  }

  /**
   * A long sequence, window after window, so that memory does not grow with its length: what a window depends on before it goes
   * through again.
   */
  #inWindows(z: Tensor, context: Tensor | null): Tensor {
    return scope(() => {
      const condition = this.conditionAt(context, z.cols);
      const parts: Tensor[] = [];
      for (let first = 0; first < z.cols; first += mostMoments) {
        const [from, end] = [
          Math.max(0, first - this.receptiveField),
          Math.min(z.cols, first + mostMoments),
        ];
        const part = scope(() => {
          const its = condition && rowsView(condition, from, end);
          const { x } = this.#through(columns(z, from, end), its);
          return columns(x, first - from, end - from);
        });
        parts.push(part);
      }
      return concatColumns(parts);
    });
  }
}

registerOptions<ParallelWaveNetOptions>('parallelWaveNet', ParallelWaveNet);

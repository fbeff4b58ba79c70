/**
 * Batch normalisation as a bijection: y = (x − m) / √(v + ε) · exp(logGamma) + beta.
 * Papamakarios et al. 2017 (MAF), section 3.3 and appendix: m, v are the batch's in training and the whole training
 * set's at validation and test.
 *
 * In training forward uses the statistics of the batch (and follows them with a running average); in use both
 * directions use the stored ones: those of `calibrate`, or the running averages where it was never called.
 */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { constant, zeros } from '../nn/initialization';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import {
  add,
  affineScalar,
  batchNormTrain,
  cast,
  columnMoments,
  copyInto,
  div,
  exp,
  expand,
  log,
  mul,
  reshape,
  sub,
  sum,
} from '../ops';
import { above0, checkOptions, count, dtype, finite, type Rules } from '../options';
import { execute } from '../tensor/execute';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';
import { requirePositions } from './positions';

export interface BatchNormOptions {
  /** D of a table; or leave it out and give channels and positions. */
  readonly features?: number;
  /** C of an image: statistics are over the rows and the positions. D = positions·C. */
  readonly channels?: number;
  /** Default 1: a table. */
  readonly positions?: number;
  /** Added to the variance; default 1e-5, as in the paper's code. */
  readonly epsilon?: number;
  /** Weight of a new batch in the running averages; default 0.1. */
  readonly momentum?: number;
  readonly dtype?: FloatDType;
}

const batchNormRules: Rules<BatchNormOptions> = {
  features: count,
  channels: count,
  positions: count,
  epsilon: above0,
  momentum: finite,
  dtype,
};

export class BatchNorm extends Bijection {
  override readonly features: number;
  readonly channels: number;
  readonly positions: number;
  readonly epsilon: number;
  readonly momentum: number;
  readonly dtype: FloatDType;
  readonly logGamma: Tensor;
  readonly beta: Tensor;
  /** float64 [C]; start at 0 and 1. */
  readonly mean: Tensor;
  readonly variance: Tensor;
  readonly #decay: Tensor;

  constructor(options: BatchNormOptions) {
    super();
    checkOptions('BatchNorm', options, batchNormRules);
    const { positions = 1, channels = options.features } = options;
    requirePositions('BatchNorm', positions);
    if (
      channels === undefined ||
      (options.features ?? channels * positions) !== channels * positions
    ) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'BatchNorm',
          'channels',
          'features, or channels and positions',
          JSON.stringify({ features: options.features, channels, positions }),
          'pass { features } for a table, { channels, positions } for images',
        ),
      );
    }
    this.channels = channels;
    this.positions = positions;
    this.features = channels * positions;
    this.epsilon = options.epsilon ?? 1e-5;
    this.momentum = options.momentum ?? 0.1;
    this.dtype = options.dtype ?? 'float32';
    const shape = [channels];
    this.logGamma = this.parameter('logGamma', zeros(shape, this.dtype));
    this.beta = this.parameter('beta', zeros(shape, this.dtype));
    this.mean = this.state('mean', zeros(shape, 'float64'));
    this.variance = this.state('variance', constant(shape, 1, 'float64'));
    this.#decay = this.own(tensorOfArray(Float64Array.of(1 - this.momentum), []));
  }

  protected override mapForward(x: Tensor): Forward {
    return scope(() => {
      if (!this.training) return this.#normalize(x);
      if (x.rows * this.positions < 2) {
        throw new FlowError(
          'SHAPE',
          expected(
            'BatchNorm',
            'x',
            'at least 2 rows in training',
            String(x.rows),
            'use a larger batch, or train(false)',
          ),
        );
      }
      const { y, logDet, mean, variance } = batchNormTrain(
        this.#pixels(x),
        this.logGamma,
        this.beta,
        this.epsilon,
      );
      execute('ema', [this.#decay, null, mean, variance], [this.mean, this.variance]);
      return this.#result(x, y, logDet);
    });
  }

  /** x as rows of channels: a view. */
  #pixels(x: Tensor): Tensor {
    return this.positions === 1 ? x : reshape(x, [x.rows * this.positions, this.channels]);
  }

  /** y as rows of samples; logDet a position for each sample. */
  #result(x: Tensor, y: Tensor, logDet: Tensor, sign = 1): Forward {
    return {
      y: this.positions === 1 ? y : reshape(y, x.shape),
      logDet: expand(logDet, [x.rows], { scale: sign * this.positions }),
    };
  }

  /** logGamma − ½ log(v + ε) per channel, float64 [C]: the log of the slope. */
  #logSlope(): Tensor {
    return sub(
      cast(this.logGamma, 'float64'),
      affineScalar(log(affineScalar(this.variance, 1, this.epsilon)), 0.5, 0),
    );
  }

  #normalize(x: Tensor): Forward {
    const logSlope = this.#logSlope();
    const slope = cast(exp(logSlope), this.dtype);
    const y = add(mul(sub(this.#pixels(x), cast(this.mean, this.dtype)), slope), this.beta);
    return this.#result(x, y, sum(logSlope));
  }

  protected override mapInverse(y: Tensor): Inverse {
    return scope(() => {
      const logSlope = this.#logSlope();
      const slope = cast(exp(logSlope), this.dtype);
      const x = add(div(sub(this.#pixels(y), this.beta), slope), cast(this.mean, this.dtype));
      const { y: rows, logDet } = this.#result(y, x, sum(logSlope), -1);
      return { x: rows, logDet };
    });
  }

  /** In training a second forward pass would move the running averages a second time. */
  override get rebuildable(): boolean {
    return !this.training;
  }

  override get calibrates(): boolean {
    return true;
  }

  /** Stores the mean and variance of all rows. */
  override *calibrate(rows: Tensor, context: Tensor | null = null): Generator<void, void> {
    this.#store(rows);
    yield* super.calibrate(rows, context);
  }

  /** What stands behind it is initialised with rows as in training, so the statistics are those of these rows. */
  override *initialize(rows: Tensor, context: Tensor | null = null): Generator<void, void> {
    this.#store(rows);
    yield* super.initialize(rows, context);
  }

  #store(rows: Tensor): void {
    scope(() => {
      const { mean, variance } = columnMoments(this.#pixels(rows));
      copyInto(this.mean, mean);
      copyInto(this.variance, variance);
    });
  }

  config(): Config {
    const { features, channels, positions, epsilon, momentum, dtype } = this;
    const size = positions === 1 ? { features } : { channels, positions };
    return { kind: 'batchNorm', ...size, epsilon, momentum, dtype };
  }
}

register<BatchNormOptions & Config & { kind: 'batchNorm' }>(
  'batchNorm',
  (config) => new BatchNorm(config),
);

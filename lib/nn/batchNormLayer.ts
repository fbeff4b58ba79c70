/** Batch normalisation inside of a network: Ioffe, Szegedy 2015. The bijection of this name is in lib/bijections. */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { batchNormFixed, batchNormTrain } from '../ops';
import { above0, checkOptions, count, dtype, finite, type Rules, required } from '../options';
import { execute } from '../tensor/execute';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { constant, zeros } from './initialization';
import { type Config, Module } from './module';

export interface BatchNormLayerOptions {
  readonly channels: number;
  /** Added to the variance; default 1e-4, as in the code of RealNVP. */
  readonly epsilon?: number;
  /** Weight of a new batch in the running averages; default 0.1. */
  readonly momentum?: number;
  readonly dtype?: FloatDType;
}

const batchNormLayerRules: Rules<BatchNormLayerOptions> = {
  channels: required(count),
  epsilon: above0,
  momentum: finite,
  dtype,
};

/**
 * y = (x − m)/√(v + ε)·exp(logGamma) + beta, column by column. In training m and v are those of the rows, which the running
 * averages follow; in use the running averages.
 */
export class BatchNormLayer extends Module {
  readonly logGamma: Tensor;
  readonly beta: Tensor;
  /** float64 [channels]; start at 0 and 1. */
  readonly mean: Tensor;
  readonly variance: Tensor;
  readonly #decay: Tensor;

  constructor(readonly options: BatchNormLayerOptions) {
    super();
    checkOptions('BatchNormLayer', options, batchNormLayerRules);
    const { channels, momentum = 0.1, dtype = 'float32' } = options;
    this.logGamma = this.parameter('logGamma', zeros([channels], dtype));
    this.beta = this.parameter('beta', zeros([channels], dtype));
    this.mean = this.state('mean', zeros([channels], 'float64'));
    this.variance = this.state('variance', constant([channels], 1, 'float64'));
    this.#decay = this.own(tensorOfArray(Float64Array.of(1 - momentum), []));
  }

  /** [rows, channels] → the same; in training at least two rows. */
  apply(x: Tensor): Tensor {
    const { epsilon = 1e-4 } = this.options;
    return scope(() => {
      if (!this.training) return batchNormFixed(x, this, this.logGamma, this.beta, epsilon).y;
      if (x.rows < 2) {
        throw new FlowError(
          'SHAPE',
          expected(
            'BatchNormLayer',
            'x',
            'at least 2 rows in training',
            String(x.rows),
            'use a larger batch, or train(false)',
          ),
        );
      }
      const { y, mean, variance } = batchNormTrain(x, this.logGamma, this.beta, epsilon);
      execute('ema', [this.#decay, null, mean, variance], [this.mean, this.variance]);
      return y;
    });
  }

  config(): Config {
    return { kind: 'batchNormLayer', ...this.options };
  }
}

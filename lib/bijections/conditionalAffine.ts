/**
 * y = x·exp(s(c)) + t(c): scale and shift of each channel are linear in the context and alike at every position. At the end
 * of a flow it is a learned prior that depends on the class (Glow's `learn_top` and `ycond`); of the context one-hot rows
 * make a row of scales and shifts a class.
 */
import type { FloatDType } from '../dtype';
import { zeros } from '../nn/initialization';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import { add, affineScalar, columns, exp, gatherColumns, linear, mul, sub, sum } from '../ops';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';
import { requirePositions } from './positions';

export interface ConditionalAffineOptions {
  readonly channels: number;
  /** Default 1. D = positions·channels. */
  readonly positions?: number;
  readonly contextFeatures: number;
  readonly dtype?: FloatDType;
}

export class ConditionalAffine extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  readonly channels: number;
  readonly positions: number;
  readonly dtype: FloatDType;
  /** [2·channels, contextFeatures], zero at the start: the rows of the log-scales, then those of the shifts. */
  readonly weight: Tensor;
  /** [2·channels] */
  readonly bias: Tensor;
  /** The channel of each feature, for what is the same at all positions. */
  readonly #channelOf: Tensor;

  constructor(options: ConditionalAffineOptions) {
    super();
    const { channels, positions = 1, contextFeatures, dtype = 'float32' } = options;
    requirePositions('ConditionalAffine', channels, 'channels');
    requirePositions('ConditionalAffine', positions);
    requirePositions('ConditionalAffine', contextFeatures, 'contextFeatures');
    this.channels = channels;
    this.positions = positions;
    this.features = channels * positions;
    this.contextFeatures = contextFeatures;
    this.dtype = dtype;
    this.weight = this.parameter('weight', zeros([2 * channels, contextFeatures], dtype));
    this.bias = this.parameter('bias', zeros([2 * channels], dtype));
    const channelOf = Int32Array.from({ length: this.features }, (_, k) => k % channels);
    this.#channelOf = this.own(tensorOfArray(channelOf, [this.features]));
  }

  #parameters(context: Tensor): { logScale: Tensor; shift: Tensor; total: Tensor } {
    const both = linear(context, this.weight, this.bias);
    const logScale = columns(both, 0, this.channels);
    const wide = (part: Tensor) => gatherColumns(part, this.#channelOf);
    return {
      logScale: wide(logScale),
      shift: wide(columns(both, this.channels, 2 * this.channels)),
      total: sum(logScale, -1, { dtype: 'float64' }),
    };
  }

  protected override mapForward(x: Tensor, context: Tensor): Forward {
    return scope(() => {
      const { logScale, shift, total } = this.#parameters(context);
      return {
        y: add(mul(x, exp(logScale)), shift),
        logDet: affineScalar(total, this.positions),
      };
    });
  }

  protected override mapInverse(y: Tensor, context: Tensor): Inverse {
    return scope(() => {
      const { logScale, shift, total } = this.#parameters(context);
      return {
        x: mul(sub(y, shift), exp(affineScalar(logScale, -1))),
        logDet: affineScalar(total, -this.positions),
      };
    });
  }

  config(): Config {
    const { channels, positions, contextFeatures, dtype } = this;
    return { kind: 'conditionalAffine', channels, positions, contextFeatures, dtype };
  }
}

register<ConditionalAffineOptions & Config & { kind: 'conditionalAffine' }>(
  'conditionalAffine',
  (config) => new ConditionalAffine(config),
);

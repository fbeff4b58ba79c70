/**
 * y = x·exp(s(c)) + t(c): scale and shift of each channel are linear in the context and alike at every position. At the end
 * of a flow it is a learned prior that depends on the class (Glow's `learn_top` and `ycond`); of the context one-hot rows
 * make a row of scales and shifts a class.
 */
import type { FloatDType } from '../dtype';
import { zeros } from '../nn/initialization';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import {
  add,
  affineScalar,
  channelAffine,
  channelAffineInverse,
  columns,
  exp,
  gatherColumns,
  linear,
  mul,
  reshape,
  sub,
  sum,
} from '../ops';
import { checkOptions, count, countOrNone, dtype, type Rules, required } from '../options';
import { requireSize } from '../shape';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';
import { requirePositions } from './positions';

export interface ConditionalAffineOptions {
  readonly channels: number;
  /** Default 1. D = positions·channels. */
  readonly positions?: number;
  /** Default 0: scale and shift are learned numbers alone. */
  readonly contextFeatures?: number;
  readonly dtype?: FloatDType;
}

const conditionalAffineRules: Rules<ConditionalAffineOptions> = {
  channels: required(count),
  positions: count,
  contextFeatures: countOrNone,
  dtype,
};

export class ConditionalAffine extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  readonly channels: number;
  readonly positions: number;
  readonly dtype: FloatDType;
  /** [2·channels, contextFeatures], zero at the start: the rows of the log-scales, then those of the shifts; null without context. */
  readonly weight: Tensor | null;
  /** [2·channels] */
  readonly bias: Tensor;
  /** The channel of each feature, for what is the same at all positions. */
  readonly #channelOf: Tensor;

  constructor(options: ConditionalAffineOptions) {
    super();
    checkOptions('ConditionalAffine', options, conditionalAffineRules);
    const { channels, positions = 1, contextFeatures = 0, dtype = 'float32' } = options;
    requireSize('ConditionalAffine', 'channels', channels);
    requirePositions('ConditionalAffine', positions);
    if (contextFeatures !== 0) requireSize('ConditionalAffine', 'contextFeatures', contextFeatures);
    this.channels = channels;
    this.positions = positions;
    this.features = channels * positions;
    this.contextFeatures = contextFeatures;
    this.dtype = dtype;
    this.weight =
      contextFeatures > 0
        ? this.parameter('weight', zeros([2 * channels, contextFeatures], dtype))
        : null;
    this.bias = this.parameter('bias', zeros([2 * channels], dtype));
    const channelOf = Int32Array.from({ length: this.features }, (_, k) => k % channels);
    this.#channelOf = this.own(tensorOfArray(channelOf, [this.features]));
  }

  /** Without context: of the bias, [channels] each. */
  #alike(x: Tensor, map: typeof channelAffine): Forward {
    const pixels = reshape(x, [x.rows * this.positions, this.channels]);
    const logScale = columns(this.bias, 0, this.channels);
    const shift = columns(this.bias, this.channels, 2 * this.channels);
    const { y, logDet } = map(pixels, logScale, shift, this.positions);
    return { y: reshape(y, x.shape), logDet };
  }

  /** With context: [N, D] each, and Σ log-scale of a position, float64 [N]. */
  #parameters(weight: Tensor, context: Tensor) {
    const both = linear(context, weight, this.bias);
    const logScale = columns(both, 0, this.channels);
    const wide = (part: Tensor) => gatherColumns(part, this.#channelOf);
    return {
      logScale: wide(logScale),
      shift: wide(columns(both, this.channels, 2 * this.channels)),
      total: sum(logScale, -1, { dtype: 'float64' }),
    };
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    return scope(() => {
      if (!this.weight) return this.#alike(x, channelAffine);
      const { logScale, shift, total } = this.#parameters(this.weight, context as Tensor);
      return {
        y: add(mul(x, exp(logScale)), shift),
        logDet: affineScalar(total, this.positions),
      };
    });
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    return scope(() => {
      if (!this.weight) {
        const { y: x, logDet } = this.#alike(y, channelAffineInverse);
        return { x, logDet };
      }
      const { logScale, shift, total } = this.#parameters(this.weight, context as Tensor);
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

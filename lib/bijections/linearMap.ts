/** What the linear maps of channels share: the same matrix at each position of a sample. */
import type { FloatDType } from '../dtype';
import { zeros } from '../nn/initialization';
import { add, expand, reshape, sub } from '../ops';
import { count, dtype, flag, type Rules, required } from '../options';
import { requireSize } from '../shape';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Bijection, type ForwardPart, type InversePart } from './bijection';
import { requirePositions } from './positions';

export interface LinearMapOptions {
  /** C: columns of a position. */
  readonly channels: number;
  /** P: positions of a sample, height·width of an image; default 1, a table. D = P·C. */
  readonly positions?: number;
  /** Whether a learned bias [C], which starts at 0, is added; default false. */
  readonly bias?: boolean;
  readonly dtype?: FloatDType;
}

export const linearMapRules: Rules<LinearMapOptions> = {
  channels: required(count),
  positions: count,
  bias: flag,
  dtype,
};

/** y = W x + b at each position; log|det ∂y/∂x| = P·log|det W|, the same for all samples. */
export abstract class LinearMap extends Bijection {
  override readonly features: number;
  readonly channels: number;
  readonly positions: number;
  readonly dtype: FloatDType;
  /** [C], or null. */
  readonly bias: Tensor | null;

  constructor(options: LinearMapOptions) {
    super();
    const { channels, positions = 1, bias = false, dtype = 'float32' } = options;
    const where = this.constructor.name;
    requireSize(where, 'channels', channels);
    requirePositions(where, positions);
    this.channels = channels;
    this.positions = positions;
    this.features = channels * positions;
    this.dtype = dtype;
    this.bias = bias ? this.parameter('bias', zeros([channels], dtype)) : null;
  }

  /** The rows of positions [M, C] → W x + b, and log|det W| as float64 [] (null: 0). */
  protected abstract applyForward(rows: Tensor): { out: Tensor; logAbsDet: Tensor | null };
  /** The rows of positions [M, C] → W⁻¹(y − b), and log|det W| as float64 [] (null: 0). */
  protected abstract applyInverse(rows: Tensor): { out: Tensor; logAbsDet: Tensor | null };

  protected override mapForward(x: Tensor): ForwardPart {
    return scope(() => {
      const { out, logAbsDet } = this.applyForward(this.#positionsOf(x));
      return { y: reshape(out, x.shape), logDet: this.#logDet(logAbsDet, x.rows, 1) };
    });
  }

  protected override mapInverse(y: Tensor): InversePart {
    return scope(() => {
      const { out, logAbsDet } = this.applyInverse(this.#positionsOf(y));
      return { x: reshape(out, y.shape), logDet: this.#logDet(logAbsDet, y.rows, -1) };
    });
  }

  /** y + b. */
  protected plusBias(y: Tensor): Tensor {
    return this.bias ? add(y, this.bias) : y;
  }

  /** y − b. */
  protected minusBias(y: Tensor): Tensor {
    return this.bias ? sub(y, this.bias) : y;
  }

  #positionsOf(x: Tensor): Tensor {
    return this.positions === 1 ? x : reshape(x, [x.rows * this.positions, this.channels]);
  }

  #logDet(logAbsDet: Tensor | null, rows: number, sign: number): Tensor | null {
    return logAbsDet && expand(logAbsDet, [rows], { scale: sign * this.positions });
  }

  /** The numbers as a tensor of the map's type. */
  protected tensorOf(values: Float64Array, shape: readonly number[]): Tensor {
    return tensorOfArray(this.dtype === 'float32' ? Float32Array.from(values) : values, shape);
  }

  protected sharedConfig() {
    const { channels, positions, dtype } = this;
    return { channels, positions, bias: this.bias !== null, dtype };
  }
}

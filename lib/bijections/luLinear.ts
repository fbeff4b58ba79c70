/**
 * A linear map by its LU decomposition: W = P·L·(U + diag(s)). Kingma, Dhariwal 2018, "Glow: Generative Flow with
 * Invertible 1×1 Convolutions", eqs. 9–11.
 */

import { zeros } from '../nn/initialization';
import type { Config } from '../nn/module';
import { orthogonal } from '../nn/orthogonal';
import { register } from '../nn/registry';
import {
  type LuTriangles,
  linear,
  luFactor,
  luInverseChannels,
  luSolve,
  RandomStream,
  sub,
  sum,
} from '../ops';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { LinearMap, type LinearMapOptions } from './linearMap';
import { composing, inverting } from './luWeights';

export interface LuLinearOptions extends LinearMapOptions {
  /** W to start with: a random rotation (default), or the identity. */
  readonly start?: 'rotation' | 'identity';
  /** Of the rotation; default 0. */
  readonly seed?: number;
}

/**
 * y = W x + b at each position. Forward is one product with the composed W, log|det W| = Σ log|s| costs C additions, the
 * inverse substitutes with both triangles, or for few channels multiplies with the inverse that substitution gives. P and
 * the signs of s are fixed at the start and saved as state.
 */
export class LuLinear extends LinearMap {
  /** [C, C]: U above the diagonal, L below it; the diagonal is 0 and stays so. */
  readonly factors: Tensor;
  /** [C]: log|s|. */
  readonly logScale: Tensor;
  /** [C]: signs of s. */
  readonly sign: Tensor;
  /** P, int32 [C]: row i of L·(U + diag(s)) is row rows[i] of W. */
  readonly rows: Tensor;
  readonly start: 'rotation' | 'identity';
  readonly seed: number;

  readonly #composed = this.derive(composing, () => this.triangles);
  readonly #inverse =
    this.channels <= luInverseChannels ? this.derive(inverting, () => this.triangles) : null;

  constructor(options: LuLinearOptions) {
    super(options);
    const { channels } = this;
    this.start = options.start ?? 'rotation';
    this.seed = options.seed ?? 0;
    const shape = [channels];
    this.factors = this.parameter('factors', zeros([channels, channels], this.dtype));
    this.logScale = this.parameter('logScale', zeros(shape, this.dtype));
    this.sign = this.state('sign', this.tensorOf(new Float64Array(channels).fill(1), shape));
    this.rows = this.state(
      'rows',
      tensorOfArray(
        Int32Array.from({ length: channels }, (_, i) => i),
        shape,
      ),
    );
    if (this.start === 'rotation') this.#rotate();
  }

  #rotate(): void {
    const { channels } = this;
    const stream = new RandomStream(this.seed);
    scope(() => {
      const { factors, rows } = luFactor(orthogonal(stream, channels));
      const values = factors.dataSync() as Float64Array;
      const scale = Float64Array.from({ length: channels }, (_, i) => {
        const s = values[i * (channels + 1)] as number;
        values[i * (channels + 1)] = 0;
        return s;
      });
      this.rows.write(rows.dataSync());
      const write = (to: Tensor, from: Float64Array) =>
        to.write(this.dtype === 'float32' ? Float32Array.from(from) : from);
      write(this.factors, values);
      write(
        this.logScale,
        scale.map((s) => Math.log(Math.abs(s))),
      );
      write(this.sign, scale.map(Math.sign));
    });
    stream.dispose();
  }

  get triangles(): LuTriangles {
    const { factors, logScale, sign, rows } = this;
    return { factors, logScale, sign, rows };
  }

  protected override applyForward(x: Tensor) {
    const [weight, logAbsDet] = this.#composed.tensors();
    return { out: linear(x, weight, this.bias), logAbsDet };
  }

  protected override applyInverse(y: Tensor) {
    const { bias, logScale, triangles } = this;
    if (this.#inverse) {
      const [inverse, logAbsDet] = this.#inverse.tensors();
      return { out: linear(bias ? sub(y, bias) : y, inverse, null), logAbsDet };
    }
    const logAbsDet = sum(logScale, undefined, { dtype: 'float64' });
    return { out: luSolve(y, triangles, { bias }), logAbsDet };
  }

  config(): Config {
    const { start, seed } = this;
    return { kind: 'luLinear', ...this.sharedConfig(), start, seed };
  }
}

register<LuLinearOptions & Config & { kind: 'luLinear' }>(
  'luLinear',
  (config) => new LuLinear(config),
);

/**
 * A linear map by its LU decomposition: W = P·L·(U + diag(s)). Kingma, Dhariwal 2018, "Glow: Generative Flow with
 * Invertible 1×1 Convolutions", eqs. 9–11.
 */
import type { Config } from '../nn/module';
import { orthogonal } from '../nn/orthogonal';
import { register } from '../nn/registry';
import { type LuTriangles, luFactor, RandomStream } from '../ops';
import { checkOptions, type Rules, seed, word } from '../options';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { type LinearMapOptions, linearMapRules } from './linearMap';
import { LinearOfTriangles } from './linearOfTriangles';

export interface LuLinearOptions extends LinearMapOptions {
  /** W to start with: a random rotation (default), or the identity. */
  readonly start?: 'rotation' | 'identity';
  /** Of the rotation; default 0. */
  readonly seed?: number;
}

const luLinearRules: Rules<LuLinearOptions> = {
  ...linearMapRules,
  start: word('rotation', 'identity'),
  seed,
};

/** y = W x + b at each position, W = P·L·(U + diag(s)). P and the signs of s are fixed at the start and saved as state. */
export class LuLinear extends LinearOfTriangles {
  /** P, int32 [C]: row i of L·(U + diag(s)) is row rows[i] of W. */
  readonly rows: Tensor;
  readonly start: 'rotation' | 'identity';
  readonly seed: number;

  constructor(options: LuLinearOptions) {
    super(checkOptions('LuLinear', options, luLinearRules));
    const { channels } = this;
    this.start = options.start ?? 'rotation';
    this.seed = options.seed ?? 0;
    const identity = Int32Array.from({ length: channels }, (_, i) => i);
    this.rows = this.state('rows', tensorOfArray(identity, [channels]));
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

  override get triangles(): LuTriangles {
    const { factors, logScale, sign, rows } = this;
    return { factors, logScale, sign, rows };
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

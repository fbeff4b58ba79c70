/** What linear maps share whose matrix is made of triangles: LU, and a triangle alone. */
import { zeros } from '../nn/initialization';
import { type LuTriangles, linear, luInverseChannels, luSolve, sum } from '../ops';
import type { Tensor } from '../tensor/tensor';
import { LinearMap, type LinearMapOptions } from './linearMap';
import { composing, inverting } from './luWeights';

/**
 * y = W x + b at each position, W made of triangles beside a diagonal s = sign·exp(logScale). Forward is one product with the
 * composed W, log|det W| = Σ log|s| costs C additions, the inverse substitutes with the triangles, or for few channels
 * multiplies with the inverse that substitution gives. The signs of s are saved as state.
 */
export abstract class LinearOfTriangles extends LinearMap {
  /** [C, C]: the triangles, U above the diagonal, L below it; the diagonal, and what is in no triangle, is 0 and stays so. */
  readonly factors: Tensor;
  /** [C]: log|s|. */
  readonly logScale: Tensor;
  /** [C]: signs of s. */
  readonly sign: Tensor;

  readonly #composed = this.derive(composing, () => this.triangles);
  readonly #inverse =
    this.channels <= luInverseChannels ? this.derive(inverting, () => this.triangles) : null;

  /** Starts as the identity. */
  constructor(options: LinearMapOptions) {
    super(options);
    const { channels, dtype } = this;
    this.factors = this.parameter('factors', zeros([channels, channels], dtype));
    this.logScale = this.parameter('logScale', zeros([channels], dtype));
    this.sign = this.state('sign', this.tensorOf(new Float64Array(channels).fill(1), [channels]));
  }

  /** How W is made of them; the same tensors at each call. */
  abstract get triangles(): LuTriangles;

  protected override applyForward(x: Tensor) {
    const [weight, logAbsDet] = this.#composed.tensors();
    return { out: linear(x, weight, this.bias), logAbsDet };
  }

  protected override applyInverse(y: Tensor) {
    const { bias, logScale, triangles } = this;
    if (this.#inverse) {
      const [inverse, logAbsDet] = this.#inverse.tensors();
      return { out: linear(this.minusBias(y), inverse, null), logAbsDet };
    }
    const logAbsDet = sum(logScale, undefined, { dtype: 'float64' });
    return { out: luSolve(y, triangles, { bias }), logAbsDet };
  }
}

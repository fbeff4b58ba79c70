/** A linear map by a triangular matrix: the log-determinant is read from its diagonal, the inverse is a substitution. */
import { zeros } from '../nn/initialization';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import { type LuTriangles, linear, luInverseChannels, luSolve, sub, sum } from '../ops';
import type { Tensor } from '../tensor/tensor';
import { LinearMap, type LinearMapOptions } from './linearMap';
import { composing, inverting } from './luWeights';

export interface TriangularLinearOptions extends LinearMapOptions {
  /** Whether W is lower triangular (default): channel c of the result sees the channels up to c. Else from c on. */
  readonly lower?: boolean;
}

/** y = W x + b at each position, W = triangle + diag(s), s = sign·exp(logScale). Starts as the identity. */
export class TriangularLinear extends LinearMap {
  readonly lower: boolean;
  /** [C, C]: what is beside the diagonal in the triangle; all else is 0 and stays so. */
  readonly factors: Tensor;
  /** [C]: log|s|. */
  readonly logScale: Tensor;
  /** [C]: signs of s, state. */
  readonly sign: Tensor;

  readonly #composed = this.derive(composing, () => this.triangles);
  readonly #inverse =
    this.channels <= luInverseChannels ? this.derive(inverting, () => this.triangles) : null;

  constructor(options: TriangularLinearOptions) {
    super(options);
    const { channels, dtype } = this;
    this.lower = options.lower ?? true;
    this.factors = this.parameter('factors', zeros([channels, channels], dtype));
    this.logScale = this.parameter('logScale', zeros([channels], dtype));
    this.sign = this.state('sign', this.tensorOf(new Float64Array(channels).fill(1), [channels]));
  }

  get triangles(): LuTriangles {
    const { factors, logScale, sign, lower } = this;
    return { factors, logScale, sign, rows: null, form: lower ? 'lower' : 'upper' };
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
    return { kind: 'triangularLinear', ...this.sharedConfig(), lower: this.lower };
  }
}

register<TriangularLinearOptions & Config & { kind: 'triangularLinear' }>(
  'triangularLinear',
  (config) => new TriangularLinear(config),
);

/** A linear map by its singular values: W = U·diag(s)·Vᵀ. Zhang, Lei, Dhillon 2018, "Stabilizing Gradients … with Householder". */
import { zeros } from '../nn/initialization';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import { exp, householder, matmul, mul, neg, sum } from '../ops';
import { checkOptions, type Rules } from '../options';
import type { Tensor } from '../tensor/tensor';
import { LinearMap } from './linearMap';
import type { OrthogonalLinearOptions } from './orthogonalLinear';
import { orthogonalLinearRules } from './orthogonalLinear';
import { identityOf, reflectionVectors } from './reflections';

export type SvdLinearOptions = OrthogonalLinearOptions;

const svdLinearRules: Rules<SvdLinearOptions> = {
  ...orthogonalLinearRules,
};

/**
 * y = U diag(s) Vᵀ x + b at each position: U and V products of K Householder reflections, s = exp(logScale). log|det W| is a
 * sum, the inverse V diag(1/s) Uᵀ costs the same as the map, and the singular values are there to be read. Starts as a rotation.
 */
export class SvdLinear extends LinearMap {
  readonly reflections: number;
  readonly seed: number;
  /** Of U [K, C]. */
  readonly left: Tensor;
  /** Of V [K, C]. */
  readonly right: Tensor;
  /** log s [C]. */
  readonly logScale: Tensor;
  readonly #identity: Tensor;

  constructor(options: SvdLinearOptions) {
    super(checkOptions('SvdLinear', options, svdLinearRules));
    this.reflections = options.reflections ?? this.channels;
    this.seed = options.seed ?? 0;
    const vectors = (seed: number) => reflectionVectors('SvdLinear', this, this.reflections, seed);
    this.left = this.parameter('left', vectors(this.seed));
    this.right = this.parameter('right', vectors(this.seed + 7919));
    this.logScale = this.parameter('logScale', zeros([this.channels], this.dtype));
    this.#identity = this.own(identityOf(this));
  }

  /** Rows times Vᵀ, s and U, or back. */
  #map(rows: Tensor, back: boolean): Tensor {
    const [first, last] = back ? [this.left, this.right] : [this.right, this.left];
    const scale = exp(back ? neg(this.logScale) : this.logScale);
    return householder(mul(householder(rows, first, { reverse: true }), scale), last);
  }

  /** The matrix first where there are more rows than channels. */
  #apply(rows: Tensor, back: boolean): Tensor {
    return rows.rows < this.channels
      ? this.#map(rows, back)
      : matmul(rows, this.#map(this.#identity, back));
  }

  #logAbsDet(): Tensor {
    return sum(this.logScale, undefined, { dtype: 'float64' });
  }

  protected override applyForward(x: Tensor) {
    const y = this.#apply(x, false);
    return { out: this.plusBias(y), logAbsDet: this.#logAbsDet() };
  }

  protected override applyInverse(y: Tensor) {
    const x = this.#apply(this.minusBias(y), true);
    return { out: x, logAbsDet: this.#logAbsDet() };
  }

  config(): Config {
    const { reflections, seed } = this;
    return { kind: 'svdLinear', ...this.sharedConfig(), reflections, seed };
  }
}

register<SvdLinearOptions & Config & { kind: 'svdLinear' }>(
  'svdLinear',
  (config) => new SvdLinear(config),
);

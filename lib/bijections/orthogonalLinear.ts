/**
 * A rotation by Householder reflections. Tomczak, Welling 2016, "Improving Variational Auto-Encoders using Householder
 * Flow", eqs. 6–7.
 */
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import { householder, matmul } from '../ops';
import { anything, checkOptions, type Rules, seed } from '../options';
import type { Tensor } from '../tensor/tensor';
import { LinearMap, type LinearMapOptions, linearMapRules } from './linearMap';
import { identityOf, reflectionVectors } from './reflections';

export interface OrthogonalLinearOptions extends LinearMapOptions {
  /** K: so many reflections; default C, with which every rotation can be reached (K even: proper ones). */
  readonly reflections?: number;
  /** Of the random vectors at the start; default 0. */
  readonly seed?: number;
}

export const orthogonalLinearRules: Rules<OrthogonalLinearOptions> = {
  ...linearMapRules,
  reflections: anything,
  seed,
};

/** y = H_K ⋯ H_1 x + b at each position; keeps volumes: log-det 0. */
export class OrthogonalLinear extends LinearMap {
  readonly reflections: number;
  readonly seed: number;
  /** v_k [K, C]: the reflection k turns the direction of v_k around. */
  readonly vectors: Tensor;
  readonly #identity: Tensor;

  constructor(options: OrthogonalLinearOptions) {
    super(checkOptions('OrthogonalLinear', options, orthogonalLinearRules));
    this.reflections = options.reflections ?? this.channels;
    this.seed = options.seed ?? 0;
    this.vectors = this.parameter(
      'vectors',
      reflectionVectors('OrthogonalLinear', this, this.reflections, this.seed),
    );
    this.#identity = this.own(identityOf(this));
  }

  /** Rows times the product of the reflections, made first where that is the lesser work. */
  #reflect(rows: Tensor, reverse: boolean): Tensor {
    const { channels, reflections, vectors } = this;
    return rows.rows < channels || 2 * reflections < channels
      ? householder(rows, vectors, { reverse })
      : matmul(rows, householder(this.#identity, vectors, { reverse }));
  }

  protected override applyForward(x: Tensor) {
    const turned = this.#reflect(x, false);
    return { out: this.plusBias(turned), logAbsDet: null };
  }

  protected override applyInverse(y: Tensor) {
    return { out: this.#reflect(this.minusBias(y), true), logAbsDet: null };
  }

  config(): Config {
    const { reflections, seed } = this;
    return { kind: 'orthogonalLinear', ...this.sharedConfig(), reflections, seed };
  }
}

register<OrthogonalLinearOptions & Config & { kind: 'orthogonalLinear' }>(
  'orthogonalLinear',
  (config) => new OrthogonalLinear(config),
);

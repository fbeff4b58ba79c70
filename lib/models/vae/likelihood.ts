/** What a decoder says about a row of data: p(x | z) of the numbers that the network makes. */
import type { FloatDType } from '../../dtype';
import { expected, FlowError } from '../../errors';
import { type Config, Module, withoutUndefined } from '../../nn/module';
import { register } from '../../nn/registry';
import {
  type AutoregressiveScale,
  add,
  affineScalar,
  autoregressiveAffine,
  autoregressiveAffineInverse,
  bernoulliLogProb,
  gatherColumns,
  normalLogProb,
  type RandomStream,
  sigmoid,
  sub,
} from '../../ops';
import { scope } from '../../tensor/scope';
import { type Tensor, tensorOfArray } from '../../tensor/tensor';

/** Features are independent given z; the network makes `outputsPerFeature` numbers for each, side by side. */
export abstract class Likelihood extends Module {
  /** D. */
  abstract readonly features: number;
  abstract readonly outputsPerFeature: number;

  /** log p(x | z): [N] float64. @param params [N, D·P] @param x [N, D] */
  abstract logProb(params: Tensor, x: Tensor): Tensor;
  /** E[x | z] [N, D]. */
  abstract mean(params: Tensor): Tensor;
  /** A draw of x given z [N, D]. */
  abstract sample(params: Tensor, stream: RandomStream): Tensor;

  /** x as the encoder sees it. */
  input(x: Tensor): Tensor {
    return x;
  }
}

/** Bits, or numbers in [0, 1] taken as probabilities of bits; one logit a feature. */
export class BernoulliLikelihood extends Likelihood {
  override readonly outputsPerFeature = 1;

  constructor(override readonly features: number) {
    super();
  }

  override logProb(params: Tensor, x: Tensor): Tensor {
    return bernoulliLogProb(params, x);
  }

  override mean(params: Tensor): Tensor {
    return sigmoid(params);
  }

  override sample(params: Tensor, stream: RandomStream): Tensor {
    return scope(() => stream.bernoulli(sigmoid(params)));
  }

  config(): Config {
    return { kind: 'bernoulliLikelihood', features: this.features };
  }
}

export interface GaussianLikelihoodOptions {
  /** One deviation for all features; left out: the network makes one for each. */
  readonly deviation?: number;
  /** How the network's raw output becomes log σ; default softClamp with bound 5. */
  readonly scale?: AutoregressiveScale;
}

/** N(μ(z), σ²): (μ, raw log σ) a feature, or μ alone where σ is fixed. */
export class GaussianLikelihood extends Likelihood {
  override readonly outputsPerFeature: number;
  readonly scale: AutoregressiveScale;
  readonly #means: Tensor;

  constructor(
    override readonly features: number,
    readonly options: GaussianLikelihoodOptions = {},
  ) {
    super();
    const { deviation, scale = { kind: 'softClamp', bound: 5 } } = options;
    if (deviation !== undefined && !(deviation > 0 && deviation < Infinity)) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'GaussianLikelihood',
          'deviation',
          'a number above 0',
          String(deviation),
          'leave it out to let the network make it',
        ),
      );
    }
    this.scale = scale;
    this.outputsPerFeature = deviation === undefined ? 2 : 1;
    const even = Int32Array.from({ length: features }, (_, i) => 2 * i);
    this.#means = this.own(tensorOfArray(even, [features]));
  }

  override logProb(params: Tensor, x: Tensor): Tensor {
    const { deviation } = this.options;
    return scope(() => {
      if (deviation === undefined) {
        const { y, logDet } = autoregressiveAffine(x, params, { scale: this.scale });
        return add(normalLogProb(y), logDet);
      }
      const logProb = normalLogProb(affineScalar(sub(x, params), 1 / deviation));
      return affineScalar(logProb, 1, -this.features * Math.log(deviation));
    });
  }

  override mean(params: Tensor): Tensor {
    return this.outputsPerFeature === 1 ? params : gatherColumns(params, this.#means);
  }

  override sample(params: Tensor, stream: RandomStream): Tensor {
    const { deviation } = this.options;
    return scope(() => {
      const noise = stream.normal([params.rows, this.features], params.dtype as FloatDType);
      if (deviation !== undefined) return add(affineScalar(noise, deviation), params);
      return autoregressiveAffineInverse(noise, params, { scale: this.scale }).x;
    });
  }

  config(): Config {
    const { features, options } = this;
    return withoutUndefined({ kind: 'gaussianLikelihood', features, ...options }) as Config;
  }
}

register<{ kind: 'bernoulliLikelihood'; features: number }>(
  'bernoulliLikelihood',
  ({ features }) => new BernoulliLikelihood(features),
);
register<GaussianLikelihoodOptions & Config & { kind: 'gaussianLikelihood'; features: number }>(
  'gaussianLikelihood',
  ({ features, ...options }) => new GaussianLikelihood(features, options),
);

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
  clamp,
  columns,
  concatColumns,
  discretizedLogisticMixtureLogProb,
  discretizedLogisticMixtureSample,
  exp,
  gatherColumns,
  logisticMixtureColumns,
  logSumExp,
  mul,
  normalLogProb,
  type RandomStream,
  reshape,
  sigmoid,
  sub,
  sum,
  tanh,
} from '../../ops';
import {
  above0,
  checkArgument,
  checkOptions,
  count,
  object,
  type Rules,
  required,
} from '../../options';
import { scope } from '../../tensor/scope';
import { type Tensor, tensorOfArray } from '../../tensor/tensor';

/** Features are independent given z, but for the channels of a pixel where a likelihood says so. */
export abstract class Likelihood extends Module {
  /** D. */
  abstract readonly features: number;
  /** Columns of `params`: what the decoder makes. */
  abstract readonly outputs: number;
  /** Integers 0 … levels − 1 that it is a distribution of; null: it takes numbers. */
  readonly levels: number | null = null;

  /** log p(x | z): [N] float64. @param params [N, outputs] @param x [N, D] */
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
  override readonly outputs: number;

  constructor(override readonly features: number) {
    super();
    checkArgument('BernoulliLikelihood', 'features', features, count);
    this.outputs = features;
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

export interface NormalLikelihoodOptions {
  /** One deviation for all features; left out: the network makes one for each. */
  readonly deviation?: number;
  /** How the network's raw output becomes log σ; default softClamp with bound 5. */
  readonly scale?: AutoregressiveScale;
}

const normalRules: Rules<NormalLikelihoodOptions> = {
  deviation: above0,
  scale: object,
};

/** N(μ(z), σ²): (μ, raw log σ) a feature, or μ alone where σ is fixed. */
export class NormalLikelihood extends Likelihood {
  override readonly outputs: number;
  readonly scale: AutoregressiveScale;
  readonly #means: Tensor;

  constructor(
    override readonly features: number,
    readonly options: NormalLikelihoodOptions = {},
  ) {
    super();
    checkArgument('NormalLikelihood', 'features', features, count);
    checkOptions('NormalLikelihood', options, normalRules);
    const { deviation, scale = { kind: 'softClamp', bound: 5 } } = options;
    if (deviation !== undefined && !(deviation > 0 && deviation < Infinity)) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'NormalLikelihood',
          'deviation',
          'a number above 0',
          String(deviation),
          'leave it out to let the network make it',
        ),
      );
    }
    this.scale = scale;
    this.outputs = deviation === undefined ? 2 * features : features;
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
    return this.outputs === this.features ? params : gatherColumns(params, this.#means);
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
    return withoutUndefined({ kind: 'normalLikelihood', features, ...options }) as Config;
  }
}

export interface LogisticMixtureLikelihoodOptions {
  /** D = positions·channels. */
  readonly features: number;
  /** Channels of a pixel, each seeing those before it; default 1. */
  readonly channels?: number;
  /** K; default 1: one discretised logistic. */
  readonly components?: number;
  /** Default 256. */
  readonly levels?: number;
}

const logisticMixtureRules: Rules<LogisticMixtureLikelihoodOptions> = {
  features: required(count),
  channels: count,
  components: count,
  levels: count,
};

/**
 * Levels 0 … L − 1, each pixel a mixture of K discretised logistics (Salimans et al. 2017; with K = 1 as in Kingma et al.
 * 2016, appendix C.4). The encoder sees them in [−1, 1].
 */
export class LogisticMixtureLikelihood extends Likelihood {
  override readonly features: number;
  override readonly outputs: number;
  override readonly levels: number;
  readonly channels: number;
  readonly components: number;
  readonly #positions: number;

  constructor(readonly options: LogisticMixtureLikelihoodOptions) {
    super();
    checkOptions('LogisticMixtureLikelihood', options, logisticMixtureRules);
    const { features, channels = 1, components = 1, levels = 256 } = options;
    const sizes = { features, channels, components, levels: levels - 1 };
    const good = Object.values(sizes).every((size) => Number.isSafeInteger(size) && size >= 1);
    if (!good || features % channels !== 0) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'LogisticMixtureLikelihood',
          'sizes',
          'whole numbers ≥ 1, levels ≥ 2, features a multiple of the channels',
          `features ${features}, channels ${channels}, components ${components}, levels ${levels}`,
          'pass for instance { features: 3072, channels: 3, components: 5 }',
        ),
      );
    }
    this.features = features;
    this.channels = channels;
    this.components = components;
    this.levels = levels;
    this.#positions = features / channels;
    this.outputs = this.#positions * logisticMixtureColumns(components, channels);
  }

  override input(x: Tensor): Tensor {
    return affineScalar(x, 2 / (this.levels - 1), -1);
  }

  /** [N, outputs] → a row a pixel. */
  #pixels(params: Tensor): Tensor {
    return reshape(params, [params.rows * this.#positions, this.outputs / this.#positions]);
  }

  override logProb(params: Tensor, x: Tensor): Tensor {
    const { levels, channels } = this;
    const positions = this.#positions;
    return scope(() => {
      const values = reshape(x, [x.rows * positions, channels]);
      return discretizedLogisticMixtureLogProb(this.#pixels(params), values, { levels, positions });
    });
  }

  /** Of each mixture with the means of the channels before, before rounding, within the levels. */
  override mean(params: Tensor): Tensor {
    const { components, channels, levels, features } = this;
    return scope(() => {
      const pixels = this.#pixels(params);
      const block = (k: number) => columns(pixels, k * components, (k + 1) * components);
      const logits = block(0);
      const weights = exp(sub(logits, reshape(logSumExp(logits, -1), [pixels.rows, 1])));
      const means: Tensor[] = [];
      let pair = 1 + 2 * channels;
      for (let c = 0; c < channels; c++) {
        let own = block(1 + c);
        for (const before of means) own = add(own, mul(tanh(block(pair++)), before));
        means.push(own);
      }
      const average = means.map((own) => reshape(sum(mul(weights, own), -1), [pixels.rows, 1]));
      const within = clamp(concatColumns(average), -1, 1);
      const half = (levels - 1) / 2;
      return reshape(affineScalar(within, half, half), [params.rows, features]);
    });
  }

  override sample(params: Tensor, stream: RandomStream): Tensor {
    const { levels, channels } = this;
    return scope(() => {
      const pixels = this.#pixels(params);
      const uniform = stream.uniform([pixels.rows, 1 + channels], params.dtype as FloatDType);
      const drawn = discretizedLogisticMixtureSample(pixels, uniform, { levels });
      return reshape(drawn, [params.rows, this.features]);
    });
  }

  config(): Config {
    return withoutUndefined({ kind: 'logisticMixtureLikelihood', ...this.options }) as Config;
  }
}

register<LogisticMixtureLikelihoodOptions & Config & { kind: 'logisticMixtureLikelihood' }>(
  'logisticMixtureLikelihood',
  (config) => new LogisticMixtureLikelihood(config),
);
register<{ kind: 'bernoulliLikelihood'; features: number }>(
  'bernoulliLikelihood',
  ({ features }) => new BernoulliLikelihood(features),
);
register<NormalLikelihoodOptions & Config & { kind: 'normalLikelihood'; features: number }>(
  'normalLikelihood',
  ({ features, ...options }) => new NormalLikelihood(features, options),
);

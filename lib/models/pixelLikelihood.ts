/** What a pixel's channels are distributed as, given the numbers that a network makes of the pixels before. */
import { type FloatDType, typedArray } from '../dtype';
import { expected, FlowError } from '../errors';
import {
  affineScalar,
  bernoulliLogProb,
  bernoulliSample,
  categoricalLogProb,
  categoricalSample,
  discretizedLogisticMixtureLogProb,
  discretizedLogisticMixtureSample,
  logisticMixtureColumns,
  type PixelDraw,
  reshape,
} from '../ops';
import { requireSize } from '../shape';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';

/** bernoulli: 0 and 1. categorical: any distribution over the levels (softmax). logistic: a mixture of discretised logistics, as in PixelCNN++. */
export type PixelLikelihoodKind = 'bernoulli' | 'categorical' | 'logistic';

export interface PixelLikelihoodOptions {
  /** Default: bernoulli for two levels, else categorical. */
  readonly likelihood?: PixelLikelihoodKind;
  /** Values of a channel, 0 … levels − 1. Default 2 for bernoulli, else 256. */
  readonly levels?: number;
  /** Logistics of a mixture. Default 10. */
  readonly components?: number;
}

const kinds: readonly PixelLikelihoodKind[] = ['bernoulli', 'categorical', 'logistic'];
/** Scales below make densities of a mixture that no float32 distance resolves. */
const leastLogScale = -7;

export class PixelLikelihood {
  readonly kind: PixelLikelihoodKind;
  readonly levels: number;
  readonly components: number;

  constructor(
    where: string,
    readonly channels: number,
    options: PixelLikelihoodOptions,
  ) {
    const { levels, components = 10 } = options;
    this.kind = options.likelihood ?? (levels === 2 ? 'bernoulli' : 'categorical');
    if (!kinds.includes(this.kind)) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          where,
          'likelihood',
          'bernoulli, categorical or logistic',
          String(this.kind),
          'pass one of these words',
        ),
      );
    }
    this.levels = levels ?? (this.kind === 'bernoulli' ? 2 : 256);
    this.components = components;
    requireSize(where, 'components', components, 'default: 10');
    const fits = Number.isSafeInteger(this.levels) && this.levels >= 2 && this.levels <= 65536;
    if (!fits || (this.kind === 'bernoulli' && this.levels !== 2)) {
      const wanted =
        this.kind === 'bernoulli' ? '2 for bernoulli pixels' : 'a whole number from 2 to 65536';
      throw new FlowError(
        'ARGUMENT',
        expected(where, 'levels', wanted, String(this.levels), 'check the data'),
      );
    }
  }

  /** Groups of channels that are drawn one after the other, each seeing those before; a mixture couples the colours itself. */
  get groups(): number {
    return this.kind === 'logistic' ? 1 : this.channels;
  }

  /** Numbers a pixel that the network makes. */
  get columns(): number {
    if (this.kind === 'logistic') return logisticMixtureColumns(this.components, this.channels);
    return this.channels * (this.kind === 'categorical' ? this.levels : 1);
  }

  /** Uniform numbers that a pixel is drawn from. */
  get uniforms(): number {
    return this.channels + (this.kind === 'logistic' ? 1 : 0);
  }

  /** What the native sampler does with the numbers of a pixel. */
  get draws(): PixelDraw {
    const { kind, levels, groups } = this;
    return { kind, levels, leastLogScale, groups };
  }

  /** Levels as the network sees them: bits as they are, others on [−1, 1]. */
  scale(x: Tensor): Tensor {
    return this.kind === 'bernoulli' ? x : affineScalar(x, 2 / (this.levels - 1), -1);
  }

  /** What the network sees for each level, [1, levels]. */
  values(dtype: FloatDType): Tensor {
    return scope(() => {
      const levels = typedArray(dtype, this.levels).map((_, level) => level);
      return this.scale(tensorOfArray(levels, [1, this.levels]));
    });
  }

  /**
   * @param params [N·P, columns]
   * @param x [N, P·C] levels
   * @returns [N] float64
   */
  logProb(params: Tensor, x: Tensor): Tensor {
    if (this.kind === 'bernoulli') return bernoulliLogProb(reshape(params, x.shape), x);
    const positions = x.cols / this.channels;
    const pixels = reshape(x, [x.rows * positions, this.channels]);
    const { levels } = this;
    return this.kind === 'categorical'
      ? categoricalLogProb(params, pixels, { positions })
      : discretizedLogisticMixtureLogProb(params, pixels, { positions, levels, leastLogScale });
  }

  /** Levels [M, C] drawn from params [M, columns] and uniform numbers [M, uniforms]. */
  draw(params: Tensor, uniform: Tensor): Tensor {
    if (this.kind === 'bernoulli') return bernoulliSample(params, uniform);
    if (this.kind === 'categorical') return categoricalSample(params, uniform);
    return discretizedLogisticMixtureSample(params, uniform, {
      levels: this.levels,
      leastLogScale,
    });
  }
}

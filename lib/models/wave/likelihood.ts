/** What a WaveNet says of a value of a sequence. */
import { expected, FlowError } from '../../errors';

/** What a value of the sequence is, and how its distribution is written. */
export type WaveLikelihood =
  /** Levels 0 … levels − 1, default 256, each with a probability of its own: for speech by `muLawEncode`. */
  | { readonly kind: 'categorical'; readonly levels?: number }
  /**
   * Levels, default 65536 (16 bits), by a mixture of discretised logistics of so many components, default 10; logarithms of
   * scales, in units of which the levels fill [−1, 1], are not below leastLogScale, default −12.
   */
  | {
      readonly kind: 'logistic';
      readonly components?: number;
      readonly levels?: number;
      readonly leastLogScale?: number;
    }
  /** Numbers; the logarithm of the deviation is not below leastLogScale, default −9 as in ClariNet. */
  | { readonly kind: 'normal'; readonly leastLogScale?: number };

/** A likelihood with its defaults. */
export interface WaveDistribution {
  readonly kind: WaveLikelihood['kind'];
  readonly levels: number;
  readonly components: number;
  readonly leastLogScale: number;
  /** Outputs of the network. */
  readonly columns: number;
}

export function distributionOf(likelihood: WaveLikelihood): WaveDistribution {
  switch (likelihood.kind) {
    case 'categorical': {
      const { levels = 256 } = likelihood;
      return { kind: 'categorical', levels, components: 0, leastLogScale: 0, columns: levels };
    }
    case 'logistic': {
      const { components = 10, levels = 65536, leastLogScale = -12 } = likelihood;
      return { kind: 'logistic', levels, components, leastLogScale, columns: 3 * components };
    }
    case 'normal': {
      const { leastLogScale = -9 } = likelihood;
      return { kind: 'normal', levels: 2, components: 0, leastLogScale, columns: 2 };
    }
    default:
      throw new FlowError(
        'ARGUMENT',
        expected(
          'WaveNet',
          'likelihood.kind',
          'categorical, logistic or normal',
          String((likelihood as WaveLikelihood).kind),
          'pass one of them',
        ),
      );
  }
}

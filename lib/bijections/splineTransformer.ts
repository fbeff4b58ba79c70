/** Splines as transformers: of couplings (NSF-C), of autoregressive maps (NSF-AR), of single features. Durkan et al. 2019. */
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import {
  type MadeNetwork,
  madeSplineInverse,
  type SplineOptions,
  spline,
  splineInverse,
  splineParameters,
  splineSettings,
} from '../ops';
import type { Tensor } from '../tensor/tensor';
import type { Forward, Inverse } from './bijection';
import { Transformer } from './transformer';

/** A monotone spline on a box; see {@link spline}. Starts as the identity, has both directions in closed form. */
export class SplineTransformer extends Transformer {
  override readonly paramsPerFeature: number;
  readonly options: Required<SplineOptions>;

  constructor(options: SplineOptions = {}) {
    super();
    this.options = splineSettings('SplineTransformer', options);
    this.paramsPerFeature = splineParameters(this.options);
  }

  override forward(x: Tensor, params: Tensor): Forward {
    return spline(x, params, this.options);
  }

  override inverse(y: Tensor, params: Tensor): Inverse {
    return splineInverse(y, params, this.options);
  }

  override inverseOfMade(y: Tensor, made: MadeNetwork, addend: Tensor | null): Inverse | null {
    return madeSplineInverse(y, made, addend, this.options);
  }

  config(): Config {
    const { bound } = this.options;
    const ends = typeof bound === 'number' ? bound : [...bound];
    return { kind: 'splineTransformer', options: { ...this.options, bound: ends } };
  }
}

register<Config & { kind: 'splineTransformer'; options: SplineOptions & Config }>(
  'splineTransformer',
  (config) => new SplineTransformer(config.options),
);

/** What actnorm and the diagonal linear map share: a scale and a shift of each channel. */
import type { FloatDType } from '../dtype';
import { zeros } from '../nn/initialization';
import { channelAffine, channelAffineInverse, reshape } from '../ops';
import { requireSize } from '../shape';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';
import type { LinearMapOptions } from './linearMap';
import { requirePositions } from './positions';

/** y = x·exp(logScale) + shift, channel by channel, alike at every position. logScale starts at 0. */
export abstract class ChannelAffine extends Bijection {
  override readonly features: number;
  readonly channels: number;
  readonly positions: number;
  readonly dtype: FloatDType;
  /** [C]. */
  readonly logScale: Tensor;
  /** [C]. */
  abstract readonly shift: Tensor;

  constructor(options: Pick<LinearMapOptions, 'channels' | 'positions' | 'dtype'>) {
    super();
    const { channels, positions = 1, dtype = 'float32' } = options;
    requireSize(this.constructor.name, 'channels', channels);
    requirePositions(this.constructor.name, positions);
    this.channels = channels;
    this.positions = positions;
    this.features = channels * positions;
    this.dtype = dtype;
    this.logScale = this.parameter('logScale', zeros([channels], dtype));
  }

  protected override mapForward(x: Tensor): Forward {
    return this.#map(channelAffine, x);
  }

  protected override mapInverse(y: Tensor): Inverse {
    const { y: x, logDet } = this.#map(channelAffineInverse, y);
    return { x, logDet };
  }

  #map(map: typeof channelAffine, x: Tensor): Forward {
    return scope(() => {
      const { y, logDet } = map(this.rowsOfPositions(x), this.logScale, this.shift, this.positions);
      return { y: reshape(y, x.shape), logDet };
    });
  }

  /** Samples [N, P·C] as rows [N·P, C]. */
  protected rowsOfPositions(x: Tensor): Tensor {
    return reshape(x, [x.rows * this.positions, this.channels]);
  }
}

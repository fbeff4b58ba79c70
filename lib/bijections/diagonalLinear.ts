/** A linear map by a diagonal matrix: NICE's last layer (Dinh, Krueger, Bengio 2015, section 3.3). */
import { zeros } from '../nn/initialization';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import { channelAffine, channelAffineInverse, full, reshape } from '../ops';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';
import type { LinearMapOptions } from './linearMap';
import { requirePositions } from './positions';

/**
 * y = x·exp(logScale) + b, channel by channel, alike at each position. Starts as the identity; `ActNorm` is the same map,
 * set from the first rows.
 */
export class DiagonalLinear extends Bijection {
  override readonly features: number;
  readonly channels: number;
  readonly positions: number;
  readonly dtype: NonNullable<LinearMapOptions['dtype']>;
  /** [C]. */
  readonly logScale: Tensor;
  /** [C], or null. */
  readonly bias: Tensor | null;
  readonly #zero: Tensor | null;

  constructor(options: LinearMapOptions) {
    super();
    const { channels, positions = 1, bias = false, dtype = 'float32' } = options;
    requirePositions('DiagonalLinear', channels, 'channels');
    requirePositions('DiagonalLinear', positions);
    this.channels = channels;
    this.positions = positions;
    this.features = channels * positions;
    this.dtype = dtype;
    this.logScale = this.parameter('logScale', zeros([channels], dtype));
    this.bias = bias ? this.parameter('bias', zeros([channels], dtype)) : null;
    this.#zero = bias ? null : this.own(full([channels], 0, dtype));
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
      const rows = reshape(x, [x.rows * this.positions, this.channels]);
      const shift = this.bias ?? (this.#zero as Tensor);
      const { y, logDet } = map(rows, this.logScale, shift, this.positions);
      return { y: reshape(y, x.shape), logDet };
    });
  }

  config(): Config {
    const { channels, positions, dtype } = this;
    return { kind: 'diagonalLinear', channels, positions, bias: this.bias !== null, dtype };
  }
}

register<LinearMapOptions & Config & { kind: 'diagonalLinear' }>(
  'diagonalLinear',
  (config) => new DiagonalLinear(config),
);

/** A linear map by a diagonal matrix: NICE's last layer (Dinh, Krueger, Bengio 2015, section 3.3). */
import { zeros } from '../nn/initialization';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import { full } from '../ops';
import { checkOptions, type Rules } from '../options';
import type { Tensor } from '../tensor/tensor';
import { ChannelAffine } from './channelAffine';
import type { LinearMapOptions } from './linearMap';
import { linearMapRules } from './linearMap';

const diagonalLinearRules: Rules<LinearMapOptions> = {
  ...linearMapRules,
};

/**
 * y = x·exp(logScale) + b, channel by channel, alike at each position. Starts as the identity; `ActNorm` is the same map,
 * set from the first rows.
 */
export class DiagonalLinear extends ChannelAffine {
  /** [C], or null. */
  readonly bias: Tensor | null;
  /** The bias, or zeros. */
  override readonly shift: Tensor;

  constructor(options: LinearMapOptions) {
    super(checkOptions('DiagonalLinear', options, diagonalLinearRules));
    const { channels, dtype } = this;
    this.bias = options.bias ? this.parameter('bias', zeros([channels], dtype)) : null;
    this.shift = this.bias ?? this.own(full([channels], 0, dtype));
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

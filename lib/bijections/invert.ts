/** A bijection turned round: IAF is an inverted MAF. */

import type { Config } from '../nn/module';
import { build, register } from '../nn/registry';
import { checkArgument } from '../options';
import type { Tensor } from '../tensor/tensor';
import { aBijection, Bijection, type Forward, type Inverse } from './bijection';

/** The fast direction of what is turned round. */
export type Turned<Direction> = Direction extends 'forward'
  ? 'inverse'
  : Direction extends 'inverse'
    ? 'forward'
    : 'both';

/** Its type says which direction is one pass: `Invert<MaskedAutoregressive>` is fast from noise to data. */
export class Invert<B extends Bijection = Bijection> extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  override readonly fastDirection: Turned<B['fastDirection']>;

  constructor(readonly bijection: B) {
    super();
    checkArgument('Invert', 'bijection', bijection, aBijection);
    this.features = bijection.features;
    this.contextFeatures = bijection.contextFeatures;
    const turned = { both: 'both', forward: 'inverse', inverse: 'forward' } as const;
    this.fastDirection = turned[bijection.fastDirection] as Turned<B['fastDirection']>;
    this.child('bijection', bijection);
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    const { x: y, ...rest } = this.bijection.inverse(x, context);
    return { y, ...rest };
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    const { y: x, ...rest } = this.bijection.forward(y, context);
    return { x, ...rest };
  }

  /** False: what stands inside sees noise mapped to data, which no data set can be put through. */
  override get calibrates(): boolean {
    return false;
  }

  override get initializes(): boolean {
    return false;
  }

  config(): Config {
    return { kind: 'invert', bijection: this.bijection.config() };
  }
}

register<{ kind: 'invert'; bijection: Config }>(
  'invert',
  (config) => new Invert(build(config.bijection) as Bijection),
);

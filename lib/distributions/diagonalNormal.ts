/** N(loc, diag(exp(2·logScale))) with learned parameters. */
import type { FloatDType } from '../dtype';
import { zeros } from '../nn/initialization';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import {
  add,
  affineScalar,
  div,
  exp,
  mul,
  normalLogProb,
  type RandomStream,
  sub,
  sum,
} from '../ops';
import { checkArgument, count, dtype as floatType } from '../options';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Distribution } from './distribution';

export class DiagonalNormal extends Distribution {
  readonly loc: Tensor;
  readonly logScale: Tensor;

  constructor(
    override readonly features: number,
    override readonly dtype: FloatDType = 'float32',
  ) {
    super();
    checkArgument('DiagonalNormal', 'features', features, count);
    checkArgument('DiagonalNormal', 'dtype', dtype, floatType);
    this.loc = this.parameter('loc', zeros([features], dtype));
    this.logScale = this.parameter('logScale', zeros([features], dtype));
  }

  protected override rowLogProb(z: Tensor): Tensor {
    return scope(() => {
      const standard = div(sub(z, this.loc), exp(this.logScale));
      return sub(normalLogProb(standard), sum(this.logScale, undefined, { dtype: 'float64' }));
    });
  }

  protected override draw(samples: number, stream: RandomStream, temperature: number): Tensor {
    return scope(() => {
      const z = affineScalar(stream.normal([samples, this.features], this.dtype), temperature, 0);
      return add(mul(z, exp(this.logScale)), this.loc);
    });
  }

  config(): Config {
    return { kind: 'diagonalNormal', features: this.features, dtype: this.dtype };
  }
}

register<{ kind: 'diagonalNormal'; features: number; dtype: FloatDType }>(
  'diagonalNormal',
  (config) => new DiagonalNormal(config.features, config.dtype),
);

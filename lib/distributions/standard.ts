/** Distributions without parameters, each feature independent. */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import {
  affineScalar,
  log,
  logisticLogProb,
  normalLogProb,
  type RandomStream,
  sub,
  uniformLogProb,
} from '../ops';
import { checkArgument, count, finite, dtype as floatType } from '../options';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Distribution } from './distribution';

/** N(0, I). */
export class StandardNormal extends Distribution {
  constructor(
    override readonly features: number,
    override readonly dtype: FloatDType = 'float32',
  ) {
    super();
    checkArgument('StandardNormal', 'features', features, count);
    checkArgument('StandardNormal', 'dtype', dtype, floatType);
  }

  protected override rowLogProb(z: Tensor): Tensor {
    return normalLogProb(z);
  }

  protected override draw(samples: number, stream: RandomStream, temperature: number): Tensor {
    return scope(() => {
      const z = stream.normal([samples, this.features], this.dtype);
      return temperature === 1 ? z : affineScalar(z, temperature, 0);
    });
  }

  config(): Config {
    return { kind: 'standardNormal', features: this.features, dtype: this.dtype };
  }
}

/** The logistic distribution with location 0 and scale 1, the base of NICE (Dinh et al. 2014, section 3.4). */
export class StandardLogistic extends Distribution {
  constructor(
    override readonly features: number,
    override readonly dtype: FloatDType = 'float32',
  ) {
    super();
    checkArgument('StandardLogistic', 'features', features, count);
    checkArgument('StandardLogistic', 'dtype', dtype, floatType);
  }

  protected override rowLogProb(z: Tensor): Tensor {
    return logisticLogProb(z);
  }

  protected override draw(samples: number, stream: RandomStream, temperature: number): Tensor {
    return scope(() => {
      // The inverse distribution function log(u) − log(1 − u); the shift keeps u off 0, where it would be −∞.
      const tiny = this.dtype === 'float32' ? 2 ** -25 : 2 ** -54;
      const u = affineScalar(stream.uniform([samples, this.features], this.dtype), 1, tiny);
      const z = sub(log(u), log(affineScalar(u, -1, 1)));
      return temperature === 1 ? z : affineScalar(z, temperature, 0);
    });
  }

  config(): Config {
    return { kind: 'standardLogistic', features: this.features, dtype: this.dtype };
  }
}

/** Uniform on the box [low, high)ᴰ. */
export class Uniform extends Distribution {
  constructor(
    override readonly features: number,
    readonly low = 0,
    readonly high = 1,
    override readonly dtype: FloatDType = 'float32',
  ) {
    super();
    checkArgument('Uniform', 'features', features, count);
    checkArgument('Uniform', 'low', low, finite);
    checkArgument('Uniform', 'high', high, finite);
    checkArgument('Uniform', 'dtype', dtype, floatType);
    if (!(low < high)) {
      throw new FlowError(
        'ARGUMENT',
        expected('Uniform', 'low, high', 'low < high', `${low}, ${high}`, 'swap them'),
      );
    }
  }

  protected override rowLogProb(z: Tensor): Tensor {
    return uniformLogProb(z, this.low, this.high);
  }

  protected override draw(samples: number, stream: RandomStream, temperature: number): Tensor {
    return scope(() => {
      const width = (this.high - this.low) * temperature;
      const centre = (this.low + this.high) / 2;
      return affineScalar(
        stream.uniform([samples, this.features], this.dtype),
        width,
        centre - width / 2,
      );
    });
  }

  config(): Config {
    return {
      kind: 'uniform',
      features: this.features,
      low: this.low,
      high: this.high,
      dtype: this.dtype,
    };
  }
}

type Plain = { features: number; dtype: FloatDType };
register<{ kind: 'standardNormal' } & Plain>(
  'standardNormal',
  (c) => new StandardNormal(c.features, c.dtype),
);
register<{ kind: 'standardLogistic' } & Plain>(
  'standardLogistic',
  (c) => new StandardLogistic(c.features, c.dtype),
);
register<{ kind: 'uniform'; low: number; high: number } & Plain>(
  'uniform',
  (c) => new Uniform(c.features, c.low, c.high, c.dtype),
);

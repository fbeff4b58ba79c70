/** A mixture of K diagonal Gaussians with learned weights, means and scales. */
import type { FloatDType } from '../dtype';
import { zeros } from '../nn/initialization';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import {
  add,
  affineScalar,
  cast,
  div,
  exp,
  gatherColumns,
  gatherRows,
  logSumExp,
  mul,
  normalLogProb,
  RandomStream,
  reshape,
  sub,
  sum,
} from '../ops';
import { checkArgument, count, dtype as floatType, seed as seedRule } from '../options';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Distribution } from './distribution';

export class GaussianMixture extends Distribution {
  /** [K]: log-weights up to a constant. */
  readonly logits: Tensor;
  /** [K, D] */
  readonly loc: Tensor;
  /** [K, D] */
  readonly logScale: Tensor;
  /** [K·D]: the columns of a row, K times. */
  readonly #repeated: Tensor;

  /** @param seed of the starting means, standard normal: equal ones would never part */
  constructor(
    override readonly features: number,
    readonly components: number,
    override readonly dtype: FloatDType = 'float32',
    seed = 0,
  ) {
    super();
    checkArgument('GaussianMixture', 'features', features, count);
    checkArgument('GaussianMixture', 'components', components, count);
    checkArgument('GaussianMixture', 'dtype', dtype, floatType);
    checkArgument('GaussianMixture', 'seed', seed, seedRule);
    const stream = new RandomStream(seed);
    this.logits = this.parameter('logits', zeros([components], dtype));
    this.loc = this.parameter('loc', stream.normal([components, features], dtype));
    this.logScale = this.parameter('logScale', zeros([components, features], dtype));
    stream.dispose();
    const repeated = Int32Array.from({ length: components * features }, (_, k) => k % features);
    this.#repeated = this.own(tensorOfArray(repeated, [repeated.length]));
  }

  /** Which component a row comes from has no gradient. */
  override get reparameterized(): boolean {
    return this.components === 1;
  }

  protected override rowLogProb(z: Tensor): Tensor {
    return scope(() => {
      // [N, K·D]: each row against each component.
      const all = [this.components * this.features];
      const apart = sub(gatherColumns(z, this.#repeated), reshape(this.loc, all));
      const standard = div(apart, exp(reshape(this.logScale, all)));
      const each = normalLogProb(reshape(standard, [z.rows * this.components, this.features]));
      const logScales = sum(this.logScale, -1, { dtype: 'float64' });
      const logits = cast(this.logits, 'float64');
      const logWeights = sub(logits, logSumExp(logits));
      return logSumExp(
        add(reshape(each, [z.rows, this.components]), sub(logWeights, logScales)),
        -1,
      );
    });
  }

  protected override draw(samples: number, stream: RandomStream, temperature: number): Tensor {
    return scope(() => {
      const logits = [...this.logits.dataSync()];
      const highest = Math.max(...logits);
      const weights = logits.map((logit) => Math.exp(logit - highest));
      const total = weights.reduce((a, b) => a + b, 0);
      const u = stream.uniformArray(samples);
      const chosen = Int32Array.from(u, (value) => {
        let left = value * total;
        let k = 0;
        while (k < this.components - 1 && left >= (weights[k] as number))
          left -= weights[k++] as number;
        return k;
      });
      const indices = tensorOfArray(chosen, [samples]);
      const z = affineScalar(stream.normal([samples, this.features], this.dtype), temperature, 0);
      return add(mul(z, exp(gatherRows(this.logScale, indices))), gatherRows(this.loc, indices));
    });
  }

  config(): Config {
    return {
      kind: 'gaussianMixture',
      features: this.features,
      components: this.components,
      dtype: this.dtype,
    };
  }
}

register<{ kind: 'gaussianMixture'; features: number; components: number; dtype: FloatDType }>(
  'gaussianMixture',
  (config) => new GaussianMixture(config.features, config.components, config.dtype),
);

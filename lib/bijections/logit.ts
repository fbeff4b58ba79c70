/**
 * The logit of data in [0, 1]: y = logit(λ + (1 − 2λ)x), for pixels as in MAF (Papamakarios et al. 2017, appendix) and
 * RealNVP (Dinh et al. 2017, section 4.1).
 */
import { expected, FlowError } from '../errors';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import { add, affineScalar, log, logSigmoid, sigmoid, softplus, sub, sum } from '../ops';
import { checkArgument, count, number } from '../options';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';

/**
 * Domain: x in [−λ/(1 − 2λ), 1 + λ/(1 − 2λ)], open; outside NaN. With λ = 0 it is the plain logit of (0, 1).
 * logDet = Σ [log(1 − 2λ) − log p − log(1 − p)], p = λ + (1 − 2λ)x.
 */
export class Logit extends Bijection {
  constructor(
    override readonly features: number,
    /** λ, in [0, ½). */
    readonly lambda = 1e-6,
  ) {
    super();
    checkArgument('Logit', 'features', features, count);
    checkArgument('Logit', 'lambda', lambda, number);
    if (!(lambda >= 0 && lambda < 0.5)) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'Logit',
          'lambda',
          'a number in [0, 0.5)',
          String(lambda),
          'MNIST: 1e-6, CIFAR-10: 0.05',
        ),
      );
    }
  }

  protected override mapForward(x: Tensor): Forward {
    return scope(() => {
      const slope = 1 - 2 * this.lambda;
      const logP = log(affineScalar(x, slope, this.lambda));
      const logQ = log(affineScalar(x, -slope, 1 - this.lambda));
      const sums = sum(add(logP, logQ), -1, { dtype: 'float64' });
      return {
        y: sub(logP, logQ),
        logDet: affineScalar(sums, -1, this.features * Math.log(slope)),
      };
    });
  }

  protected override mapInverse(y: Tensor): Inverse {
    return scope(() => {
      const slope = 1 - 2 * this.lambda;
      const x = affineScalar(sigmoid(y), 1 / slope, -this.lambda / slope);
      // log σ(y) + log(1 − σ(y)) = −softplus(−y) − softplus(y)
      const sums = sum(sub(logSigmoid(y), softplus(y)), -1, { dtype: 'float64' });
      return { x, logDet: affineScalar(sums, 1, -this.features * Math.log(slope)) };
    });
  }

  config(): Config {
    return { kind: 'logit', features: this.features, lambda: this.lambda };
  }
}

register<{ kind: 'logit'; features: number; lambda: number }>(
  'logit',
  (config) => new Logit(config.features, config.lambda),
);

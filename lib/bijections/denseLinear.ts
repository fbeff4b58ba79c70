/** A linear map by its matrix itself: any W, and a log-determinant that costs C³. Kingma, Dhariwal 2018, "Glow", eq. 9. */
import { epsilonOf, type FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import type { Config } from '../nn/module';
import { orthogonal } from '../nn/orthogonal';
import { register } from '../nn/registry';
import {
  conditionNumber,
  type LuFactors,
  linear,
  luFactor,
  luFactorSolve,
  RandomStream,
} from '../ops';
import { checkOptions, type Rules, seed } from '../options';
import { scope } from '../tensor/scope';
import { isRecording, type Tensor } from '../tensor/tensor';
import { LinearMap, type LinearMapOptions, linearMapRules } from './linearMap';

export interface DenseLinearOptions extends LinearMapOptions {
  /** Of the random rotation that W starts as; default 0. */
  readonly seed?: number;
}

/**
 * @throws FlowError NUMERIC where the condition number of a decomposed matrix leaves no digit of a solution; never while a
 *   step is recorded, where no number can be looked at
 */
export function refuseSingular(where: string, lu: LuFactors, dtype: FloatDType): void {
  if (isRecording()) return;
  const limit = 0.1 / epsilonOf(dtype);
  const condition = conditionNumber(lu);
  if (condition < limit) return;
  throw new FlowError(
    'NUMERIC',
    expected(
      where,
      'weight',
      `a condition number below ${limit.toPrecision(2)}, the reach of ${dtype}`,
      condition.toPrecision(3),
      "W is as good as singular: use LuLinear, a lower learning rate, or dtype 'float64'",
    ),
  );
}

const denseLinearRules: Rules<DenseLinearOptions> = {
  ...linearMapRules,
  seed,
};

/**
 * y = W x + b at each position. Each pass decomposes W (LU with partial pivoting, in float64), for log|det W| and for the
 * inverse; nothing keeps W away from a singular matrix, which {@link LuLinear} cannot reach.
 *
 * The inverse refuses a W whose condition number leaves no digit of the result (FlowError NUMERIC), unless it runs inside
 * of a recorded step, where no number can be looked at: there a singular W ends in an infinite log-determinant.
 */
export class DenseLinear extends LinearMap {
  /** W [C, C]. */
  readonly weight: Tensor;
  readonly seed: number;

  constructor(options: DenseLinearOptions) {
    super(checkOptions('DenseLinear', options, denseLinearRules));
    this.seed = options.seed ?? 0;
    const { channels } = this;
    const stream = new RandomStream(this.seed);
    this.weight = this.parameter(
      'weight',
      scope(() =>
        this.tensorOf(orthogonal(stream, channels).dataSync() as Float64Array, [
          channels,
          channels,
        ]),
      ),
    );
    stream.dispose();
  }

  /** ‖W‖₁·‖W⁻¹‖₁; ∞ where W is singular. */
  conditionNumber(): number {
    return scope(() => conditionNumber(luFactor(this.weight)));
  }

  protected override applyForward(x: Tensor) {
    const { logAbsDet } = luFactor(this.weight);
    return { out: linear(x, this.weight, this.bias), logAbsDet };
  }

  protected override applyInverse(y: Tensor) {
    const lu = luFactor(this.weight);
    refuseSingular('DenseLinear', lu, this.dtype);
    return { out: luFactorSolve(lu, y, this.bias), logAbsDet: lu.logAbsDet };
  }

  config(): Config {
    return { kind: 'denseLinear', ...this.sharedConfig(), seed: this.seed };
  }
}

register<DenseLinearOptions & Config & { kind: 'denseLinear' }>(
  'denseLinear',
  (config) => new DenseLinear(config),
);

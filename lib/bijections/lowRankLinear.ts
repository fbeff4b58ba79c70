/** A linear map by a diagonal and a few directions: W = diag(s) + U·Vᵀ. Woodbury 1950; the matrix determinant lemma. */
import { expected, FlowError } from '../errors';
import { claimElements, zeros } from '../nn/initialization';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import {
  add,
  affineScalar,
  exp,
  type LuFactors,
  luFactor,
  luFactorSolve,
  matmul,
  mul,
  neg,
  RandomStream,
  sub,
  sum,
} from '../ops';
import { checkOptions, count, type Rules, required, seed } from '../options';
import { requireSize } from '../shape';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { refuseSingular } from './denseLinear';
import { LinearMap, type LinearMapOptions, linearMapRules } from './linearMap';

export interface LowRankLinearOptions extends LinearMapOptions {
  /** R: columns of U and V, at most C. */
  readonly rank: number;
  /** Of the random U at the start; default 0. */
  readonly seed?: number;
}

const lowRankLinearRules: Rules<LowRankLinearOptions> = {
  ...linearMapRules,
  rank: required(count),
  seed,
};

/**
 * y = diag(s) x + U Vᵀ x + b at each position, s = exp(logScale): products of C·R, and of the small matrix
 * K = I + Vᵀ diag(1/s) U [R, R] all the rest: log|det W| = Σ log s + log|det K|, W⁻¹ = S⁻¹ − S⁻¹ U K⁻¹ Vᵀ S⁻¹. Starts as the
 * identity (V = 0). Nothing keeps W away from a singular matrix: the inverse refuses a K whose condition number leaves no digit
 * (FlowError NUMERIC), unless it runs inside of a recorded step.
 */
export class LowRankLinear extends LinearMap {
  readonly rank: number;
  readonly seed: number;
  /** log s [C]. */
  readonly logScale: Tensor;
  /** U [C, R]. */
  readonly left: Tensor;
  /** V [C, R]. */
  readonly right: Tensor;
  readonly #identity: Tensor;

  constructor(options: LowRankLinearOptions) {
    super(checkOptions('LowRankLinear', options, lowRankLinearRules));
    const { channels, dtype } = this;
    const { rank, seed = 0 } = options;
    requireSize('LowRankLinear', 'rank', rank);
    if (rank > channels) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'LowRankLinear',
          'rank',
          `at most ${channels}, the channels`,
          String(rank),
          'DenseLinear and LuLinear are full matrices',
        ),
      );
    }
    this.rank = rank;
    this.seed = seed;
    this.logScale = this.parameter('logScale', zeros([channels], dtype));
    claimElements(channels * rank + rank * rank);
    const stream = new RandomStream(seed);
    const drawn = scope(() =>
      affineScalar(stream.normal([channels, rank], dtype), 1 / Math.sqrt(channels)),
    );
    stream.dispose();
    this.left = this.parameter('left', drawn);
    this.right = this.parameter('right', zeros([channels, rank], dtype));
    const one = Float64Array.from({ length: rank * rank }, (_, k) => (k % (rank + 1) ? 0 : 1));
    this.#identity = this.own(
      tensorOfArray(dtype === 'float32' ? Float32Array.from(one) : one, [rank, rank]),
    );
  }

  /** The LU decomposition of K, and 1/s. */
  #capacitance(): { lu: LuFactors; inverse: Tensor } {
    const inverse = exp(neg(this.logScale));
    const scaled = mul(matmul(this.#identity, this.right, { transposeB: true }), inverse);
    return { lu: luFactor(add(this.#identity, matmul(scaled, this.left))), inverse };
  }

  #logAbsDet(lu: LuFactors): Tensor {
    return add(sum(this.logScale, undefined, { dtype: 'float64' }), lu.logAbsDet);
  }

  protected override applyForward(x: Tensor) {
    const { left, right, logScale } = this;
    const y = add(mul(x, exp(logScale)), matmul(matmul(x, right), left, { transposeB: true }));
    const { lu } = this.#capacitance();
    return { out: this.plusBias(y), logAbsDet: this.#logAbsDet(lu) };
  }

  protected override applyInverse(y: Tensor) {
    const { left, right } = this;
    const { lu, inverse } = this.#capacitance();
    refuseSingular('LowRankLinear', lu, this.dtype);
    const given = mul(this.minusBias(y), inverse);
    const z = luFactorSolve(lu, matmul(given, right));
    const x = sub(given, mul(matmul(z, left, { transposeB: true }), inverse));
    return { out: x, logAbsDet: this.#logAbsDet(lu) };
  }

  config(): Config {
    const { rank, seed } = this;
    return { kind: 'lowRankLinear', ...this.sharedConfig(), rank, seed };
  }
}

register<LowRankLinearOptions & Config & { kind: 'lowRankLinear' }>(
  'lowRankLinear',
  (config) => new LowRankLinear(config),
);

/**
 * Rotations of a skew-symmetric matrix A = T − Tᵀ: by Cayley's transform or by the matrix exponential. Golinski, Lezcano-Casado,
 * Rainforth 2019, "Improving Normalizing Flows via Better Orthogonal Parameterizations"; Lezcano-Casado, Martínez-Rubio 2019.
 */
import { expected, FlowError } from '../errors';
import { claimElements } from '../nn/initialization';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import {
  add,
  affineScalar,
  cast,
  luFactor,
  luFactorSolve,
  matmul,
  RandomStream,
  sub,
} from '../ops';
import { checkOptions, type Rules, seed, word } from '../options';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { LinearMap, type LinearMapOptions, linearMapRules } from './linearMap';
import { identityOf } from './reflections';

export interface RotationLinearOptions extends LinearMapOptions {
  /**
   * W = (I − A)(I + A)⁻¹ (`cayley`, default): every rotation but those that turn a direction around; or W = exp A (`exponential`):
   * every rotation, as long as A is not beyond some hundred full turns, where the squarings of the series run out.
   */
  readonly form?: 'cayley' | 'exponential';
  /** Of the random A at the start; default 0. */
  readonly seed?: number;
}

/** Squarings of the exponential: A/2⁸ is below 1 for angles below 256. */
const squarings = 8;

/**
 * exp A, differentiable, for ‖A‖ up to 2⁸: the series of A/2⁸ to the 15th power (Paterson and Stockmeyer's grouping: six
 * products), squared eight times. In float64, whatever the type of A.
 */
function matrixExponential(a: Tensor, identity: Tensor): Tensor {
  return scope(() => {
    const b = affineScalar(cast(a, 'float64'), 2 ** -squarings);
    const one = cast(identity, 'float64');
    const b2 = matmul(b, b);
    const b3 = matmul(b2, b);
    const b4 = matmul(b2, b2);
    const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));
    // c_k + c_{k+1} B + c_{k+2} B² + c_{k+3} B³
    const group = (k: number) =>
      [one, b, b2, b3]
        .map((power, i) => affineScalar(power, 1 / factorial(k + i)))
        .reduce((total, term) => add(total, term));
    let result = group(12);
    for (const k of [8, 4, 0]) result = add(matmul(result, b4), group(k));
    for (let k = 0; k < squarings; k++) result = matmul(result, result);
    return cast(result, a.dtype === 'float32' ? 'float32' : 'float64');
  });
}

const rotationLinearRules: Rules<RotationLinearOptions> = {
  ...linearMapRules,
  form: word('cayley', 'exponential'),
  seed,
};

/** y = W x + b at each position, W a rotation; keeps volumes: log-det 0. The inverse is its transpose. */
export class RotationLinear extends LinearMap {
  readonly form: 'cayley' | 'exponential';
  readonly seed: number;
  /** T [C, C]: A = T − Tᵀ. */
  readonly turns: Tensor;
  readonly #identity: Tensor;

  constructor(options: RotationLinearOptions) {
    super(checkOptions('RotationLinear', options, rotationLinearRules));
    this.form = options.form ?? 'cayley';
    this.seed = options.seed ?? 0;
    if (this.form !== 'cayley' && this.form !== 'exponential') {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'RotationLinear',
          'form',
          'cayley or exponential',
          String(this.form),
          'pass one of them',
        ),
      );
    }
    const { channels } = this;
    claimElements(channels * channels);
    const stream = new RandomStream(this.seed);
    const drawn = scope(() =>
      affineScalar(
        stream.normal([channels, channels], this.dtype),
        1 / Math.sqrt(2 * Math.max(1, channels)),
      ),
    );
    stream.dispose();
    this.turns = this.parameter('turns', drawn);
    this.#identity = this.own(identityOf(this));
  }

  /** T − Tᵀ. */
  #skew(): Tensor {
    return sub(this.turns, matmul(this.#identity, this.turns, { transposeB: true }));
  }

  #turn(rows: Tensor, back: boolean): Tensor {
    const a = this.#skew();
    if (this.form === 'exponential') {
      const w = matrixExponential(a, this.#identity);
      return matmul(rows, w, { transposeB: !back });
    }
    // z = (I ± A)⁻¹x, then (I ∓ A)z = 2z − x.
    const matrix = back ? sub(this.#identity, a) : add(this.#identity, a);
    const z = luFactorSolve(luFactor(matrix), rows);
    return sub(affineScalar(z, 2), rows);
  }

  protected override applyForward(x: Tensor) {
    const turned = this.#turn(x, false);
    return { out: this.plusBias(turned), logAbsDet: null };
  }

  protected override applyInverse(y: Tensor) {
    return { out: this.#turn(this.minusBias(y), true), logAbsDet: null };
  }

  config(): Config {
    const { form, seed } = this;
    return { kind: 'rotationLinear', ...this.sharedConfig(), form, seed };
  }
}

register<RotationLinearOptions & Config & { kind: 'rotationLinear' }>(
  'rotationLinear',
  (config) => new RotationLinear(config),
);

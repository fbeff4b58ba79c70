/**
 * Student's t distribution, each feature with degrees of freedom of its own: the heavy tails of a base are those of its flow, since
 * maps of bounded slope cannot make them (Jaini, Kobyzev, Yu, Brubaker 2020, "Tails of Lipschitz Triangular Flows").
 */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import {
  add,
  affineScalar,
  cast,
  cos,
  div,
  exp,
  expm1,
  log,
  log1p,
  mul,
  neg,
  type RandomStream,
  reciprocal,
  reshape,
  sqrt,
  square,
  sub,
  sum,
} from '../ops';
import { checkOptions, count, dtype, flag, numbers, type Rules, required, rule } from '../options';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Distribution } from './distribution';

export interface StudentTOptions {
  /** D. */
  readonly features: number;
  /** ν > 0 of all features, or of each: 1 is Cauchy's distribution, ∞ the normal one. What training starts from; default 10. */
  readonly degrees?: number | readonly number[];
  /** Whether training changes them; default true. */
  readonly learned?: boolean;
  readonly dtype?: FloatDType;
}

/** Steps by which the argument of Γ is raised until the series is exact to rounding. */
const raised = 12;
/** log Γ(w + ½) − log Γ(w) − ½ log w in odd powers of 1/w (Tricomi and Erdélyi 1951), for w > 12. */
const series = [-1 / 8, 1 / 192, -1 / 640, 17 / 14336, -31 / 18432] as const;

const studentTRules: Rules<StudentTOptions> = {
  features: required(count),
  degrees: rule(
    'a number above 0, or one a feature',
    (value) => typeof value === 'number' || numbers.takes(value),
  ),
  learned: flag,
  dtype,
};

export class StudentT extends Distribution {
  override readonly features: number;
  override readonly dtype: FloatDType;
  readonly learned: boolean;
  /** [D]: log ν. */
  readonly logDegrees: Tensor;
  /** [1, raised]: 0, 1, 2, … */
  readonly #shifts: Tensor;
  readonly #start: readonly number[];

  constructor(options: StudentTOptions) {
    super();
    checkOptions('StudentT', options, studentTRules);
    const { features, degrees = 10, learned = true, dtype = 'float32' } = options;
    const start = typeof degrees === 'number' ? new Array(features).fill(degrees) : [...degrees];
    const good = start.length === features && start.every((nu) => nu > 0 && nu < Infinity);
    if (!Number.isSafeInteger(features) || features < 1 || !good) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'StudentT',
          'degrees',
          `a finite number above 0, or one for each of ${features} features`,
          JSON.stringify(degrees),
          'for instance 10; the normal distribution is DiagonalNormal',
        ),
      );
    }
    this.features = features;
    this.dtype = dtype;
    this.learned = learned;
    this.#start = start;
    // Fixed ones stay float64.
    const logs = start.map(Math.log);
    this.logDegrees = learned
      ? this.parameter('logDegrees', this.#tensor(logs))
      : this.state('logDegrees', tensorOfArray(Float64Array.from(logs), [features]));
    const shifts = Float64Array.from({ length: raised }, (_, j) => j);
    this.#shifts = this.own(tensorOfArray(shifts, [1, raised]));
  }

  #tensor(values: readonly number[]): Tensor {
    const array = this.dtype === 'float32' ? Float32Array.from(values) : Float64Array.from(values);
    return tensorOfArray(array, [values.length]);
  }

  /** [D]: the degrees of freedom, as they are now. */
  get degrees(): Float64Array {
    return Float64Array.from(this.logDegrees.dataSync(), (value) => Math.exp(Number(value)));
  }

  /** log of the density's factor Γ((ν + 1)/2) / (Γ(ν/2)·√(νπ)), [D] float64. */
  #logFactor(logDegrees: Tensor, degrees: Tensor): Tensor {
    const half = reshape(affineScalar(degrees, 0.5), [this.features, 1]);
    // Γ(z + 1) = z·Γ(z), as often as it takes; beyond, the series.
    const each = add(half, this.#shifts);
    const steps = sum(sub(log(each), log(affineScalar(each, 1, 0.5))), -1);
    const high = reshape(affineScalar(half, 1, raised), [this.features]);
    const inverse = reciprocal(high);
    const squared = square(inverse);
    let tail = affineScalar(squared, series[4], series[3]);
    for (const term of [series[2], series[1], series[0]])
      tail = affineScalar(mul(tail, squared), 1, term);
    const ratio = add(add(steps, affineScalar(log(high), 0.5)), mul(tail, inverse));
    return affineScalar(sub(ratio, affineScalar(logDegrees, 0.5)), 1, -0.5 * Math.log(Math.PI));
  }

  protected override rowLogProb(z: Tensor): Tensor {
    return scope(() => {
      const logDegrees = cast(this.logDegrees, 'float64');
      const degrees = exp(logDegrees);
      // In float64, where no square of a float32 is too large.
      const squares = div(square(cast(z, 'float64')), degrees);
      const power = affineScalar(degrees, -0.5, -0.5);
      return sum(add(mul(log1p(squares), power), this.#logFactor(logDegrees, degrees)), -1);
    });
  }

  /** t = cos(2πu)·√(ν·(v^(−2/ν) − 1)) with u, v uniform (Bailey 1994), which can be differentiated by ν. */
  protected override draw(samples: number, stream: RandomStream, temperature: number): Tensor {
    return scope(() => {
      const shape = [samples, this.features];
      const angle = affineScalar(stream.uniform(shape, 'float64'), 2 * Math.PI);
      // The shift keeps v off 0.
      const v = affineScalar(stream.uniform(shape, 'float64'), 1, 2 ** -54);
      const degrees = exp(cast(this.logDegrees, 'float64'));
      const grown = expm1(div(neg(affineScalar(log(v), 2)), degrees));
      const t = mul(cos(angle), sqrt(mul(grown, degrees)));
      return cast(affineScalar(t, temperature), this.dtype);
    });
  }

  config(): Config {
    return {
      kind: 'studentT',
      features: this.features,
      degrees: [...this.#start],
      learned: this.learned,
      dtype: this.dtype,
    };
  }
}

register<StudentTOptions & Config & { kind: 'studentT' }>(
  'studentT',
  (config) => new StudentT(config),
);

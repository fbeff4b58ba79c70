/** y = x · exp(logScale) + shift, feature by feature: learned, or fixed (standardising a table, scaling pixels). */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import { channelAffine, channelAffineInverse } from '../ops';
import { checkOptions, dtype, numbers, type Rules, required, rule } from '../options';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';

export interface AffineOptions {
  /** log of the factor of each feature. The sign of the factor is positive. */
  readonly logScale: Float64Array | readonly number[];
  readonly shift: Float64Array | readonly number[];
  /** Whether training changes them, or the scale only; default false. */
  readonly learned?: boolean | 'scale';
  readonly dtype?: FloatDType;
}

const affineRules: Rules<AffineOptions> = {
  logScale: required(numbers),
  shift: required(numbers),
  learned: rule(
    "true, false or 'scale'",
    (value) => typeof value === 'boolean' || value === 'scale',
  ),
  dtype,
};

export class Affine extends Bijection {
  override readonly features: number;
  readonly learned: boolean | 'scale';
  readonly dtype: FloatDType;
  readonly logScale: Tensor;
  readonly shift: Tensor;
  readonly #start: { readonly logScale: readonly number[]; readonly shift: readonly number[] };

  constructor(options: AffineOptions) {
    super();
    checkOptions('Affine', options, affineRules);
    const { logScale, shift, learned = false, dtype = 'float32' } = options;
    if (logScale.length !== shift.length || logScale.length === 0) {
      throw new FlowError(
        'SHAPE',
        expected(
          'Affine',
          'shift',
          `${logScale.length} numbers, as logScale (at least one)`,
          String(shift.length),
          'pass one of each a feature',
        ),
      );
    }
    this.features = logScale.length;
    this.learned = learned;
    this.dtype = dtype;
    this.#start = { logScale: [...logScale], shift: [...shift] };
    // Fixed ones stay float64, so that a standardised column is not rounded twice.
    const held = (name: string, values: Float64Array | readonly number[], isLearned: boolean) => {
      const array =
        isLearned && dtype === 'float32' ? Float32Array.from(values) : Float64Array.from(values);
      const tensor = tensorOfArray(array, [values.length]);
      return isLearned ? this.parameter(name, tensor) : this.state(name, tensor);
    };
    this.logScale = held('logScale', logScale, learned !== false);
    this.shift = held('shift', shift, learned === true);
  }

  /** The map that gives each column of the data mean 0 and standard deviation 1 (columns that do not vary: factor 1). */
  static standardize(
    mean: Float64Array,
    standardDeviation: Float64Array,
    dtype: FloatDType = 'float32',
  ): Affine {
    const logScale = standardDeviation.map((deviation) =>
      deviation > 0 ? -Math.log(deviation) : 0,
    );
    return new Affine({
      logScale,
      shift: mean.map((m, i) => -m * Math.exp(logScale[i] as number)),
      dtype,
    });
  }

  /** x · factor + shift with the same two numbers for every feature. */
  static uniform(
    features: number,
    factor: number,
    shift: number,
    dtype: FloatDType = 'float32',
  ): Affine {
    if (!(factor > 0)) {
      throw new FlowError(
        'ARGUMENT',
        expected('Affine', 'factor', 'a number > 0', String(factor), 'the map must be increasing'),
      );
    }
    return new Affine({
      logScale: new Float64Array(features).fill(Math.log(factor)),
      shift: new Float64Array(features).fill(shift),
      dtype,
    });
  }

  protected override mapForward(x: Tensor): Forward {
    return channelAffine(x, this.logScale, this.shift);
  }

  protected override mapInverse(y: Tensor): Inverse {
    const { y: x, logDet } = channelAffineInverse(y, this.logScale, this.shift);
    return { x, logDet };
  }

  config(): Config {
    return {
      kind: 'affine',
      // Not what they are by now: a checkpoint is known by the configuration that its model began with.
      ...this.#start,
      learned: this.learned,
      dtype: this.dtype,
    };
  }
}

register<AffineOptions & Config & { kind: 'affine' }>('affine', (config) => new Affine(config));

/**
 * The numbers of a map: learned ones, the same for every sample, or made of the context by a network, a row a sample
 * ("amortised": the posterior flows of Rezende and Mohamed 2015, van den Berg et al. 2018).
 */
import { type FloatDType, typedArray } from '../dtype';
import { type Activation, RandomStream, reshape } from '../ops';
import { activationRule } from '../ops/activation';
import {
  checkArgument,
  checkOptions,
  countOrNone,
  counts,
  dtype,
  one,
  type Rules,
  seed,
} from '../options';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { claimElements } from './initialization';
import { Linear } from './linear';
import { Mlp } from './mlp';
import { type Config, Module } from './module';

/** What a map with a {@link ParameterNet} takes of it. */
export interface AmortizationOptions {
  /** Width of the context; default 0: none, the numbers are learned alone. */
  readonly contextFeatures?: number;
  /** Hidden layers of the network that reads the context; default none: the numbers are linear in it. */
  readonly hidden?: readonly number[];
  /** Of the hidden layers; default relu. */
  readonly activation?: Activation;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

export const amortizationRules: Rules<AmortizationOptions> = {
  contextFeatures: countOrNone,
  hidden: counts,
  activation: activationRule,
  seed,
  dtype,
};

export class ParameterNet extends Module {
  readonly contextFeatures: number;
  readonly dtype: FloatDType;
  /** [P] without context. */
  readonly values: Tensor | null;
  /** From the context to [N, P]; its last layer starts at the numbers that `start` gives, whatever the context. */
  readonly network: Linear | Mlp | null;

  /** @param start the P numbers at the start */
  constructor(
    start: Float64Array,
    readonly options: AmortizationOptions,
  ) {
    super();
    checkArgument(
      'ParameterNet',
      'start',
      start,
      one('a Float64Array', () => Float64Array),
    );
    checkOptions('ParameterNet', options, amortizationRules);
    const { contextFeatures = 0, hidden = [], seed = 0, dtype = 'float32' } = options;
    const outputs = start.length;
    this.contextFeatures = contextFeatures;
    this.dtype = dtype;
    const array = typedArray(dtype, outputs);
    array.set(start);
    if (contextFeatures === 0) {
      claimElements(outputs);
      this.values = this.parameter('values', tensorOfArray(array, [outputs]));
      this.network = null;
      return;
    }
    this.values = null;
    const { activation = 'relu' } = options;
    const network =
      hidden.length === 0
        ? new Linear(contextFeatures, outputs, { dtype }, null)
        : new Mlp({ inputs: contextFeatures, outputs, hidden, activation, seed, dtype });
    const last = network instanceof Mlp ? network.output : network;
    last.bias?.write(array);
    this.network = this.child('network', network);
  }

  /** @returns [1, P], or of the context [N, contextFeatures] → [N, P] */
  apply(context: Tensor | null): Tensor {
    if (this.values) return reshape(this.values, [1, this.values.size]);
    const network = this.network as Linear | Mlp;
    return scope(() => network.apply(context as Tensor));
  }

  config(): Config {
    return { kind: 'parameterNet', ...amortizationConfig(this.options) };
  }
}

/** The options as they are saved in the config of the map. */
export function amortizationConfig(options: AmortizationOptions) {
  const { contextFeatures = 0, hidden = [], activation = 'relu', seed = 0 } = options;
  const { dtype = 'float32' } = options;
  return { contextFeatures, hidden: [...hidden], activation, seed, dtype };
}

/** Normal numbers, for starts. */
export function normalNumbers(count: number, seed: number, scale: number): Float64Array {
  const stream = new RandomStream(seed);
  const drawn = stream.normal([count], 'float64');
  stream.dispose();
  const values = (drawn.dataSync() as Float64Array).map((value) => scale * value);
  drawn.dispose();
  return values;
}

/** Multilayer perceptrons: the conditioners of coupling flows on tables. */
import type { FloatDType } from '../dtype';
import { type Activation, mlp, RandomStream } from '../ops';
import { activationRule } from '../ops/activation';
import { requireTensor } from '../ops/check';
import {
  checkOptions,
  count,
  countOrNone,
  dtype,
  flag,
  type Rules,
  required,
  seed,
  widths,
} from '../options';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Conditioner } from './conditioner';
import { type ContextLayer, contextTerm } from './contextLayer';
import { requireHidden, residualHidden } from './hiddenLayers';
import { Linear } from './linear';
import { type Config, withoutUndefined } from './module';
import { register } from './registry';

export interface MlpOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Widths of the hidden layers. With `residual` all must be equal. */
  readonly hidden: readonly number[];
  /** Default relu. */
  readonly activation?: Activation;
  /** Width of a context; it enters the first hidden layer. Default 0: none. */
  readonly contextFeatures?: number;
  /** Rows of a sample, each mapped by the same network: 1 for a table, H·W for 1×1 convolutions of an image. Default 1. */
  readonly positions?: number;
  /** The hidden layers after the first in pairs, each pair with a connection around it (He et al. 2016; pre-activation). */
  readonly residual?: boolean;
  /** The last layer starts at zero, so that a coupling starts as the identity. Default true. */
  readonly zeroInitialized?: boolean;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

export const mlpRules: Rules<MlpOptions> = {
  inputs: required(count),
  outputs: required(count),
  hidden: required(widths),
  activation: activationRule,
  contextFeatures: countOrNone,
  positions: count,
  residual: flag,
  zeroInitialized: flag,
  seed,
  dtype,
};

export class Mlp extends Conditioner {
  override readonly inputs: number;
  override readonly outputs: number;
  override readonly positions: number;
  override readonly contextFeatures: number;
  readonly activation: Activation;
  readonly residual: boolean;
  readonly dtype: FloatDType;
  /** Hidden layers, first to last. */
  readonly hiddenLayers: readonly Linear[];
  readonly output: Linear;
  /** Context to the first hidden layer, without bias. */
  readonly contextLayer: ContextLayer | null;
  readonly #layers: readonly Linear[];
  readonly #options: MlpOptions;

  constructor(options: MlpOptions) {
    super();
    checkOptions('Mlp', options, mlpRules);
    const { inputs, outputs, hidden, contextFeatures = 0, positions = 1 } = options;
    requireHidden('Mlp', { inputs, outputs, positions }, hidden, options.residual);
    this.#options = options;
    this.inputs = inputs;
    this.outputs = outputs;
    this.positions = positions;
    this.contextFeatures = contextFeatures;
    this.activation = options.activation ?? 'relu';
    this.residual = options.residual ?? false;
    this.dtype = options.dtype ?? 'float32';
    const { dtype } = this;
    // In a residual network activations stand before the layers (pre-activation), so the layers have none.
    const activation = this.residual ? 'none' : this.activation;
    const stream = new RandomStream(options.seed ?? 0);
    let width = inputs;
    this.hiddenLayers = hidden.map((units, index) => {
      const layer = new Linear(width, units, { activation, dtype }, stream);
      width = units;
      return this.child(`hidden.${index}`, layer);
    });
    const last = (options.zeroInitialized ?? true) ? null : stream;
    this.output = this.child('output', new Linear(width, outputs, { dtype }, last));
    this.#layers = [...this.hiddenLayers, this.output];
    this.contextLayer = this.contextTo(hidden[0] as number, dtype, stream);
    stream.dispose();
  }

  override get outputBias(): Tensor | null {
    return this.output.bias;
  }

  override apply(x: Tensor, context: Tensor | null = null): Tensor {
    if (context !== null) requireTensor('Mlp', 'context', context);
    const samples = this.samplesOf(x);
    return scope(() => {
      const term = contextTerm('Mlp', this.contextLayer, context, samples);
      if (this.residual) {
        const h = residualHidden(this.hiddenLayers, x, term, this.activation);
        return this.output.apply(h);
      }
      return mlp(x, this.#layers, { activation: this.activation, addend: term });
    });
  }

  config(): Config {
    return withoutUndefined({ kind: 'mlp', ...this.#options }) as Config;
  }
}

register<MlpOptions & Config & { readonly kind: 'mlp' }>('mlp', (config) => new Mlp(config));

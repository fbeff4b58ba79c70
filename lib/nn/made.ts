/**
 * MADE: a network whose output for dimension i depends on the inputs before i only.
 * Germain, Gregor, Murray, Larochelle 2015, "MADE: Masked Autoencoder for Distribution Estimation".
 */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
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
import { formatShape } from '../shape';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { ContextLayer, contextTerm } from './contextLayer';
import {
  type DegreeRule,
  degreeRule,
  extentsOver,
  hiddenDegrees,
  inputDegrees,
  repeatDegrees,
} from './degrees';
import { FeatureOrder, type OrderRule, orderRule } from './featureOrder';
import { requireHidden, residualHidden } from './hiddenLayers';
import { MaskedLinear } from './linear';
import { type Config, Module, withoutUndefined } from './module';
import { register } from './registry';

export interface MadeOptions {
  /** D: number of inputs. */
  readonly features: number;
  /** Widths of the hidden layers. With `residual` all must be equal. */
  readonly hidden: readonly number[];
  /** P: outputs of each dimension, side by side: the result is [N, D·P]. */
  readonly outputsPerFeature: number;
  /** Default relu. */
  readonly activation?: Activation;
  /** Width of a context that every output may see; it enters the first hidden layer. Default 0: none. */
  readonly contextFeatures?: number;
  /** The order of the autoregression; default natural: feature i sees the features before it. */
  readonly order?: OrderRule;
  /** Default: sequential, or spread where a layer has fewer units than there are degrees. */
  readonly degrees?: DegreeRule;
  /** The hidden layers after the first in pairs, each pair with a connection around it (He et al. 2016; pre-activation). */
  readonly residual?: boolean;
  /** Connections from the inputs to the outputs, around the hidden layers (paper, section 4.1). */
  readonly direct?: boolean;
  /** Last layer starts at zero, so that a flow starts as the identity. Default true. */
  readonly zeroInitialized?: boolean;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

export const madeRules: Rules<MadeOptions> = {
  features: required(count),
  hidden: required(widths),
  outputsPerFeature: required(count),
  activation: activationRule,
  contextFeatures: countOrNone,
  order: orderRule,
  degrees: degreeRule,
  residual: flag,
  direct: flag,
  zeroInitialized: flag,
  seed,
  dtype,
};

export class Made extends Module {
  readonly features: number;
  readonly outputsPerFeature: number;
  readonly contextFeatures: number;
  readonly activation: Activation;
  readonly residual: boolean;
  readonly dtype: FloatDType;
  readonly order: FeatureOrder;
  /** Hidden layers, first to last. */
  readonly hiddenLayers: readonly MaskedLinear[];
  readonly output: MaskedLinear;
  /** Context to the first hidden layer, without bias. */
  readonly contextLayer: ContextLayer | null;
  /** Inputs to outputs. */
  readonly directLayer: MaskedLinear | null;
  readonly #options: MadeOptions;

  constructor(options: MadeOptions) {
    super();
    checkOptions('MADE', options, madeRules);
    const { features, hidden, outputsPerFeature } = options;
    requireHidden('MADE', { features, outputsPerFeature }, hidden, options.residual);
    this.#options = options;
    this.features = features;
    this.outputsPerFeature = outputsPerFeature;
    this.contextFeatures = options.contextFeatures ?? 0;
    this.activation = options.activation ?? 'relu';
    this.residual = options.residual ?? false;
    this.dtype = options.dtype ?? 'float32';
    this.order = this.child(
      'order',
      new FeatureOrder(options.order ?? 'natural', features, options.seed, outputsPerFeature),
    );
    const layerOptions = { dtype: this.dtype };
    const stream = new RandomStream(options.seed ?? 0);
    const rule = options.degrees;

    const inputs = inputDegrees(features);
    let before = inputs;
    let least = this.contextFeatures > 0 ? 0 : 1;
    const hiddenLayers: MaskedLinear[] = [];
    for (const [index, units] of hidden.entries()) {
      // Around a pair of layers the units must keep their degrees.
      const degrees: Int32Array =
        this.residual && index > 0 ? before : hiddenDegrees(rule, units, features, least, stream);
      // In a residual network activations stand before the layers (pre-activation), so the layers have none.
      const activation = this.residual ? 'none' : this.activation;
      const layer = new MaskedLinear(
        before.length,
        extentsOver(degrees, before, 0),
        { ...layerOptions, activation },
        stream,
      );
      hiddenLayers.push(this.child(`hidden.${index}`, layer));
      before = degrees;
      if (rule === 'random') least = degrees[0] ?? least;
    }
    this.hiddenLayers = hiddenLayers;
    const outputs = repeatDegrees(inputs, outputsPerFeature);
    const last = (options.zeroInitialized ?? true) ? null : stream;
    this.output = this.child(
      'output',
      new MaskedLinear(before.length, extentsOver(outputs, before, 1), layerOptions, last),
    );
    this.directLayer = options.direct
      ? this.child(
          'direct',
          new MaskedLinear(
            features,
            extentsOver(outputs, inputs, 1),
            { ...layerOptions, bias: false },
            last,
          ),
        )
      : null;
    const { contextFeatures, dtype } = this;
    this.contextLayer =
      contextFeatures > 0
        ? this.child(
            'context',
            new ContextLayer(contextFeatures, hidden[0] as number, 1, dtype, stream),
          )
        : null;
    stream.dispose();
  }

  /** What the context adds to the first hidden layer: [N, H], or null without context. */
  contextTerm(context: Tensor | null, rows: number): Tensor | null {
    return contextTerm('MADE', this.contextLayer, context, rows);
  }

  /**
   * @param x [N, D]
   * @param context [N, contextFeatures] or null
   * @returns [N, D·P], the P outputs of feature i in columns i·P … i·P + P − 1
   */
  apply(x: Tensor, context: Tensor | null = null): Tensor {
    requireTensor('MADE', 'x', x);
    if (context !== null) requireTensor('MADE', 'context', context);
    if (x.shape.length !== 2 || x.cols !== this.features) {
      throw new FlowError(
        'SHAPE',
        expected(
          'MADE',
          'x',
          `shape [N, ${this.features}]`,
          formatShape(x.shape),
          'pass one row a sample',
        ),
      );
    }
    return scope(() =>
      this.order.fromOrder(
        this.applyInOrder(this.order.toOrder(x), context),
        this.outputsPerFeature,
      ),
    );
  }

  /** As `apply`, with the columns of x and of the result in the order of the autoregression. */
  applyInOrder(x: Tensor, context: Tensor | null): Tensor {
    return scope(() => {
      const term = this.contextTerm(context, x.rows);
      if (!this.residual && this.directLayer === null) {
        const layers = [...this.hiddenLayers, this.output];
        return mlp(x, layers, { activation: this.activation, addend: term });
      }
      const direct = this.directLayer?.apply(x) ?? null;
      const h = this.residual
        ? residualHidden(this.hiddenLayers, x, term, this.activation)
        : this.#plainHidden(x, term);
      return this.output.apply(h, direct);
    });
  }

  #plainHidden(x: Tensor, term: Tensor | null): Tensor {
    let h = x;
    for (const [index, layer] of this.hiddenLayers.entries())
      h = layer.apply(h, index === 0 ? term : null);
    return h;
  }

  config(): Config {
    const options = Object.fromEntries(saved.map((name) => [name, this.#options[name]]));
    return withoutUndefined({ kind: 'made', ...options }) as Config;
  }
}

/** What rebuilds a MADE; whoever makes one may pass options of its own beside these. */
const saved = [
  'features',
  'hidden',
  'outputsPerFeature',
  'activation',
  'contextFeatures',
  'order',
  'degrees',
  'residual',
  'direct',
  'zeroInitialized',
  'seed',
  'dtype',
] as const satisfies readonly (keyof MadeOptions)[];

register<MadeOptions & Config & { readonly kind: 'made' }>('made', (config) => new Made(config));

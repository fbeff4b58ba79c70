/** Convolutional networks: the conditioners of coupling flows on images. */
import type { FloatDType } from '../dtype';
import { type Activation, convStack, RandomStream } from '../ops';
import { activationRule } from '../ops/activation';
import {
  checkOptions,
  count,
  countOrNone,
  dtype,
  flag,
  type Rules,
  required,
  seed,
  sides,
} from '../options';
import { type ImageShape, requireSizes } from '../shape';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Conditioner, type Pass } from './conditioner';
import { type ContextLayer, contextTerm } from './contextLayer';
import { Conv2d } from './conv2d';
import { type Config, withoutUndefined } from './module';
import { register } from './registry';

export interface ConvNetOptions {
  readonly image: Pick<ImageShape, 'height' | 'width'>;
  readonly inputs: number;
  readonly outputs: number;
  /** Channels of the two hidden layers. */
  readonly hidden: number;
  /** Default relu. */
  readonly activation?: Activation;
  /** Width of a context; it enters the first hidden layer, alike at all pixels. Default 0: none. */
  readonly contextFeatures?: number;
  /** The last layer starts at zero, so that a coupling starts as the identity. Default true. */
  readonly zeroInitialized?: boolean;
  /** A factor exp(3·logScale) for each output, learned with the rest. Default true, as in Glow. */
  readonly outputScale?: boolean;
  /**
   * Actnorm behind the first two convolutions, as in Glow's code; it is part of their weights, and costs hardly any time. Default
   * false.
   */
  readonly actNorm?: boolean;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

const convNetRules: Rules<ConvNetOptions> = {
  image: required(sides),
  inputs: required(count),
  outputs: required(count),
  hidden: required(count),
  activation: activationRule,
  contextFeatures: countOrNone,
  zeroInitialized: flag,
  outputScale: flag,
  actNorm: flag,
  seed,
  dtype,
};

/**
 * 3×3 → act → 1×1 → act → 3×3, with hidden channels between: the network of Glow's couplings (Kingma, Dhariwal 2018,
 * section 3.3 and appendix B).
 */
export class ConvNet extends Conditioner {
  override readonly inputs: number;
  override readonly outputs: number;
  override readonly positions: number;
  override readonly contextFeatures: number;
  readonly dtype: FloatDType;
  readonly first: Conv2d;
  readonly middle: Conv2d;
  readonly last: Conv2d;
  /** Context to the first hidden layer, without bias. */
  readonly contextLayer: ContextLayer | null;
  readonly #options: ConvNetOptions;

  constructor(options: ConvNetOptions) {
    super();
    checkOptions('ConvNet', options, convNetRules);
    const { image, inputs, outputs, hidden, contextFeatures = 0, dtype = 'float32' } = options;
    const { height, width } = image;
    requireSizes('ConvNet', { height, width, inputs, outputs, hidden });
    this.#options = options;
    this.inputs = inputs;
    this.outputs = outputs;
    this.positions = height * width;
    this.contextFeatures = contextFeatures;
    this.dtype = dtype;
    const {
      activation = 'relu',
      zeroInitialized = true,
      outputScale = true,
      actNorm = false,
    } = options;
    const stream = new RandomStream(options.seed ?? 0);
    const spatial = { height, width, kernel: [3, 3], dtype } as const;
    this.first = this.child(
      'first',
      new Conv2d({ ...spatial, inputs, outputs: hidden, activation, actNorm }, stream),
    );
    const one = { ...spatial, kernel: [1, 1] } as const;
    this.middle = this.child(
      'middle',
      new Conv2d({ ...one, inputs: hidden, outputs: hidden, activation, actNorm }, stream),
    );
    this.last = this.child(
      'last',
      new Conv2d({ ...spatial, inputs: hidden, outputs, zeroInitialized, outputScale }, stream),
    );
    this.contextLayer = this.contextTo(hidden, dtype, stream);
    stream.dispose();
  }

  override get initializes(): boolean {
    return !(this.first.initialized && this.middle.initialized);
  }

  override *initialize(rows: Pass): Generator<void, void> {
    yield* this.first.standardize((visit) => rows((x) => visit(x)));
    yield* this.middle.standardize((visit) =>
      rows((x, context) => visit(this.first.apply(x, this.#contextTerm(x, context)))),
    );
  }

  #contextTerm(x: Tensor, context: Tensor | null): Tensor | null {
    return contextTerm('ConvNet', this.contextLayer, context, this.samplesOf(x));
  }

  override apply(x: Tensor, context: Tensor | null = null): Tensor {
    return scope(() => {
      const addend = this.#contextTerm(x, context);
      return convStack(x, [this.first.layer, this.middle.layer, this.last.layer], { addend });
    });
  }

  config(): Config {
    return withoutUndefined({ kind: 'convNet', ...this.#options }) as Config;
  }
}

register<ConvNetOptions & Config & { readonly kind: 'convNet' }>(
  'convNet',
  (config) => new ConvNet(config),
);

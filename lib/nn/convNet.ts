/** Convolutional networks: the conditioners of coupling flows on images. */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { type Activation, convStack, RandomStream } from '../ops';
import { formatShape, type ImageShape } from '../shape';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Conditioner } from './conditioner';
import { ContextLayer, contextTerm } from './contextLayer';
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
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

/** Throws ARGUMENT unless all sizes are whole numbers of at least 1. */
export function checkConvSizes(where: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (Number.isSafeInteger(size) && size >= 1) continue;
    throw new FlowError(
      'ARGUMENT',
      expected(where, name, 'a whole number ≥ 1', String(size), 'pass a size'),
    );
  }
}

/** Throws SHAPE unless x is the pixels of whole images; returns their number. */
export function samplesOf(where: string, x: Tensor, positions: number, inputs: number): number {
  if (x.shape.length !== 2 || x.cols !== inputs || x.rows % positions !== 0) {
    throw new FlowError(
      'SHAPE',
      expected(
        where,
        'x',
        `shape [N·${positions}, ${inputs}]`,
        formatShape(x.shape),
        'pass one row a pixel of each image, channels last',
      ),
    );
  }
  return x.rows / positions;
}

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
    const { image, inputs, outputs, hidden, contextFeatures = 0, dtype = 'float32' } = options;
    const { height, width } = image;
    checkConvSizes('ConvNet', { height, width, inputs, outputs, hidden });
    this.#options = options;
    this.inputs = inputs;
    this.outputs = outputs;
    this.positions = height * width;
    this.contextFeatures = contextFeatures;
    this.dtype = dtype;
    const { activation = 'relu', zeroInitialized = true, outputScale = true } = options;
    const stream = new RandomStream(options.seed ?? 0);
    const spatial = { height, width, kernel: [3, 3], dtype } as const;
    this.first = this.child(
      'first',
      new Conv2d({ ...spatial, inputs, outputs: hidden, activation }, stream),
    );
    const one = { ...spatial, kernel: [1, 1] } as const;
    this.middle = this.child(
      'middle',
      new Conv2d({ ...one, inputs: hidden, outputs: hidden, activation }, stream),
    );
    this.last = this.child(
      'last',
      new Conv2d({ ...spatial, inputs: hidden, outputs, zeroInitialized, outputScale }, stream),
    );
    this.contextLayer =
      contextFeatures > 0
        ? this.child(
            'context',
            new ContextLayer(contextFeatures, hidden, this.positions, dtype, stream),
          )
        : null;
    stream.dispose();
  }

  override apply(x: Tensor, context: Tensor | null = null): Tensor {
    const samples = samplesOf('ConvNet', x, this.positions, this.inputs);
    return scope(() => {
      const term = contextTerm('ConvNet', this.contextLayer, context, samples);
      return convStack(x, [this.first.layer, this.middle.layer, this.last.layer], { addend: term });
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

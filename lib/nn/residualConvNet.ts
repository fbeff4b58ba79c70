/** Residual convolutional networks: the conditioners of RealNVP on images. */
import type { FloatDType } from '../dtype';
import { type Activation, activate, RandomStream } from '../ops';
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
import { BatchNormLayer } from './batchNormLayer';
import { Conditioner } from './conditioner';
import { type ContextLayer, contextTerm } from './contextLayer';
import { Conv2d } from './conv2d';
import { type Config, Module, withoutUndefined } from './module';
import { register } from './registry';

export interface ResidualConvNetOptions {
  readonly image: Pick<ImageShape, 'height' | 'width'>;
  readonly inputs: number;
  readonly outputs: number;
  /** Channels between; the paper has 32 for images of 32 × 32, 64 for CIFAR-10. */
  readonly hidden: number;
  /** Residual blocks; the paper has 4 for images of 32 × 32, 8 for CIFAR-10. */
  readonly blocks: number;
  /** Default relu. */
  readonly activation?: Activation;
  /** Weights as direction and length (Salimans, Kingma 2016). Default true. */
  readonly weightNorm?: boolean;
  /** Batch norm before every activation. Default true. */
  readonly batchNorm?: boolean;
  /** Width of a context; it is added to what the first convolution makes, alike at all pixels. Default 0: none. */
  readonly contextFeatures?: number;
  /** The last layer starts at zero, so that a coupling starts as the identity. Default true. */
  readonly zeroInitialized?: boolean;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

/** Batch norm, where there is one, and the activation behind it. */
class Activated extends Module {
  readonly #norm: BatchNormLayer | null;

  constructor(
    readonly channels: number,
    readonly activation: Activation,
    readonly dtype: FloatDType,
    normalizes: boolean,
  ) {
    super();
    this.#norm = normalizes ? this.child('norm', new BatchNormLayer({ channels, dtype })) : null;
  }

  apply(x: Tensor): Tensor {
    return scope(() => activate(this.#norm ? this.#norm.apply(x) : x, this.activation));
  }

  config(): Config {
    const { channels, activation, dtype } = this;
    return { kind: 'activated', channels, activation, dtype };
  }
}

interface Block {
  readonly before: Activated;
  readonly first: Conv2d;
  readonly between: Activated | null;
  readonly second: Conv2d;
  readonly skip: Conv2d;
}

const residualConvNetRules: Rules<ResidualConvNetOptions> = {
  image: required(sides),
  inputs: required(count),
  outputs: required(count),
  hidden: required(count),
  blocks: required(count),
  activation: activationRule,
  weightNorm: flag,
  batchNorm: flag,
  contextFeatures: countOrNone,
  zeroInitialized: flag,
  seed,
  dtype,
};

/**
 * h = 3×3(x); blocks h ← h + 3×3(act(norm(3×3(act(norm(h)))))); after the first convolution and each block a 1×1 of h is
 * added to the result, which goes through norm, act and a last 1×1. Dinh, Sohl-Dickstein, Bengio 2017, section 4.1, and
 * `resnet` of its code (He et al. 2016, identity mappings; skip connections as in Van den Oord et al. 2016).
 */
export class ResidualConvNet extends Conditioner {
  override readonly inputs: number;
  override readonly outputs: number;
  override readonly positions: number;
  override readonly contextFeatures: number;
  readonly dtype: FloatDType;
  readonly contextLayer: ContextLayer | null;
  readonly #options: ResidualConvNetOptions;
  readonly #first: Conv2d;
  readonly #firstSkip: Conv2d;
  readonly #blocks: readonly Block[];
  readonly #end: Activated;
  readonly #last: Conv2d;

  constructor(options: ResidualConvNetOptions) {
    super();
    checkOptions('ResidualConvNet', options, residualConvNetRules);
    const { image, inputs, outputs, hidden, blocks, contextFeatures = 0 } = options;
    const { height, width } = image;
    requireSizes('ResidualConvNet', { height, width, inputs, outputs, hidden, blocks });
    const { activation = 'relu', weightNorm = true, batchNorm = true, dtype = 'float32' } = options;
    this.#options = options;
    this.inputs = inputs;
    this.outputs = outputs;
    this.positions = height * width;
    this.contextFeatures = contextFeatures;
    this.dtype = dtype;
    const stream = new RandomStream(options.seed ?? 0);
    const layer = (
      name: string,
      size: 1 | 3,
      extra: Partial<ConstructorParameters<typeof Conv2d>[0]> = {},
    ) => {
      const kernel = [size, size] as const;
      const sizes = { height, width, kernel, inputs: hidden, outputs: hidden };
      return this.child(name, new Conv2d({ ...sizes, weightNorm, dtype, ...extra }, stream));
    };
    const activated = (name: string) =>
      this.child(name, new Activated(hidden, activation, dtype, batchNorm));
    this.#first = layer('first', 3, { inputs });
    this.#firstSkip = layer('firstSkip', 1);
    this.#blocks = Array.from({ length: blocks }, (_, k) => ({
      before: activated(`blocks.${k}.before`),
      // What a mean is taken from wants no bias; what needs no norm gets its activation in the same pass.
      first: layer(`blocks.${k}.first`, 3, batchNorm ? { bias: false } : { activation }),
      between: batchNorm ? activated(`blocks.${k}.between`) : null,
      second: layer(`blocks.${k}.second`, 3),
      skip: layer(`blocks.${k}.skip`, 1),
    }));
    this.#end = activated('end');
    const { zeroInitialized = true } = options;
    this.#last = layer('last', 1, { outputs, zeroInitialized });
    this.contextLayer = this.contextTo(hidden, dtype, stream);
    stream.dispose();
  }

  override get outputBias(): Tensor | null {
    return this.#last.bias;
  }

  override apply(x: Tensor, context: Tensor | null = null): Tensor {
    const samples = this.samplesOf(x);
    return scope(() => {
      const term = contextTerm('ResidualConvNet', this.contextLayer, context, samples);
      let h = this.#first.apply(x, term);
      let sum = this.#firstSkip.apply(h);
      for (const { before, first, between, second, skip } of this.#blocks) {
        const inner = first.apply(before.apply(h));
        h = second.apply(between ? between.apply(inner) : inner, h);
        sum = skip.apply(h, sum);
      }
      return this.#last.apply(this.#end.apply(sum));
    });
  }

  config(): Config {
    return withoutUndefined({ kind: 'residualConvNet', ...this.#options }) as Config;
  }
}

register<ResidualConvNetOptions & Config & { readonly kind: 'residualConvNet' }>(
  'residualConvNet',
  (config) => new ResidualConvNet(config),
);

/**
 * Convolutional residual networks between an image and a row of numbers: the encoder and decoder of variational
 * autoencoders, with scales of half the height and width each (Kingma et al. 2016, appendix C: residual blocks of 3×3
 * convolutions and ELU, then one dense layer). Sides are halved by squeezing 2 × 2 pixels into channels and doubled the other
 * way round, before or after a 3×3 convolution.
 */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { type Activation, activate, RandomStream, reshape, squeeze, unsqueeze } from '../ops';
import { activationRule } from '../ops/activation';
import {
  checkOptions,
  count,
  countOrNone,
  counts,
  dtype,
  flag,
  image,
  type Rules,
  required,
  seed,
} from '../options';
import { type ImageShape, requireSizes } from '../shape';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Conditioner } from './conditioner';
import { type ContextLayer, contextTerm } from './contextLayer';
import { Conv2d } from './conv2d';
import { Linear } from './linear';
import { type Config, Module, withoutUndefined } from './module';
import { register } from './registry';

interface CoderOptions {
  readonly image: ImageShape;
  /** Channels of each scale, first the one of the whole image; the sides are halved between scales. */
  readonly channels: readonly number[];
  /** Residual blocks of a scale; default 1. */
  readonly blocks?: number;
  /** Units of the dense layer between the last scale and the row. */
  readonly hidden: number;
  /** Default elu. */
  readonly activation?: Activation;
  /** Width of a context; it enters the dense layer. Default 0: none. */
  readonly contextFeatures?: number;
  /** The last layer starts at zero. Default false. */
  readonly zeroInitialized?: boolean;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

const coderRules: Rules<CoderOptions> = {
  image: required(image),
  channels: required(counts),
  blocks: countOrNone,
  hidden: required(count),
  activation: activationRule,
  contextFeatures: countOrNone,
  zeroInitialized: flag,
  seed,
  dtype,
};

export interface ConvEncoderOptions extends CoderOptions {
  /** Columns that it makes. */
  readonly outputs: number;
}

export interface ConvDecoderOptions extends CoderOptions {
  /** Columns that it reads. */
  readonly inputs: number;
  /** Numbers that it makes of each pixel, side by side; default one a channel. */
  readonly outputsPerPixel?: number;
}

interface Scale extends ImageShape {
  readonly pixels: number;
}

/** The images of the scales. @throws FlowError ARGUMENT where a side cannot be halved */
function scalesOf(where: string, { image, channels, ...options }: CoderOptions): Scale[] {
  const { blocks = 1, hidden } = options;
  const [first = 0] = channels;
  requireSizes(where, { ...image, 'channels[0]': first, hidden });
  if (blocks !== 0) requireSizes(where, { blocks });
  const halved = 2 ** (channels.length - 1);
  if (image.height % halved !== 0 || image.width % halved !== 0) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        where,
        'channels',
        `as many scales as ${image.height} × ${image.width} can be halved`,
        `${channels.length}`,
        'leave scales out, or pad the images',
      ),
    );
  }
  return channels.map((count, l) => {
    requireSizes(where, { [`channels[${l}]`]: count });
    const [height, width] = [image.height / 2 ** l, image.width / 2 ** l];
    return { height, width, channels: count, pixels: height * width };
  });
}

/** h + 3×3(act(3×3(act(h)))). */
class ResidualBlock extends Module {
  readonly #first: Conv2d;
  readonly #second: Conv2d;

  constructor(
    readonly scale: Scale,
    readonly activation: Activation,
    readonly dtype: FloatDType,
    stream: RandomStream,
  ) {
    super();
    const { height, width, channels } = scale;
    const sizes = { height, width, kernel: [3, 3], inputs: channels, outputs: channels } as const;
    this.#first = this.child('first', new Conv2d({ ...sizes, activation, dtype }, stream));
    this.#second = this.child('second', new Conv2d({ ...sizes, dtype }, stream));
  }

  apply(h: Tensor): Tensor {
    return scope(() => this.#second.apply(this.#first.apply(activate(h, this.activation)), h));
  }

  config(): Config {
    const { height, width, channels } = this.scale;
    const { activation, dtype } = this;
    return { kind: 'residualBlock', height, width, channels, activation, dtype };
  }
}

/** What both networks have; `build` makes the layers. */
abstract class Coder extends Conditioner {
  override readonly contextFeatures: number;
  readonly dtype: FloatDType;
  readonly activation: Activation;
  protected readonly scales: readonly Scale[];

  constructor(where: string, options: CoderOptions) {
    super();
    this.scales = scalesOf(where, options);
    this.contextFeatures = options.contextFeatures ?? 0;
    this.dtype = options.dtype ?? 'float32';
    this.activation = options.activation ?? 'elu';
  }

  protected blocks(scale: number, count: number, stream: RandomStream): ResidualBlock[] {
    return Array.from({ length: count }, (_, k) =>
      this.child(
        `scales.${scale}.blocks.${k}`,
        new ResidualBlock(this.scales[scale] as Scale, this.activation, this.dtype, stream),
      ),
    );
  }

  protected conv(
    name: string,
    { height, width }: ImageShape,
    sizes: { inputs: number; outputs: number; zeroInitialized?: boolean },
    stream: RandomStream,
  ): Conv2d {
    const { dtype } = this;
    return this.child(name, new Conv2d({ height, width, kernel: [3, 3], ...sizes, dtype }, stream));
  }
}

const encoderRules: Rules<ConvEncoderOptions> = {
  ...coderRules,
  outputs: required(count),
};

/** Images [N, H·W·C] → rows [N, outputs]. */
export class ConvEncoder extends Coder {
  override readonly inputs: number;
  override readonly outputs: number;
  readonly #options: ConvEncoderOptions;
  readonly #first: Conv2d;
  readonly #blocks: readonly ResidualBlock[][];
  /** Into each scale but the first. */
  readonly #into: readonly Conv2d[];
  readonly #dense: Linear;
  readonly #last: Linear;
  readonly #contextLayer: ContextLayer | null;

  constructor(options: ConvEncoderOptions) {
    super('ConvEncoder', checkOptions('ConvEncoder', options, encoderRules));
    const { image, outputs, hidden, blocks = 1, zeroInitialized = false } = options;
    requireSizes('ConvEncoder', { outputs });
    this.#options = options;
    this.inputs = image.height * image.width * image.channels;
    this.outputs = outputs;
    const { scales, activation, dtype } = this;
    const [whole] = scales as [Scale, ...Scale[]];
    const last = scales.at(-1) as Scale;
    const stream = new RandomStream(options.seed ?? 0);
    this.#first = this.conv(
      'first',
      whole,
      { inputs: image.channels, outputs: whole.channels },
      stream,
    );
    const into: Conv2d[] = [];
    this.#blocks = scales.map((scale, l) => {
      if (l > 0) {
        const inputs = 4 * (scales[l - 1] as Scale).channels;
        into.push(
          this.conv(`scales.${l}.into`, scale, { inputs, outputs: scale.channels }, stream),
        );
      }
      return this.blocks(l, blocks, stream);
    });
    this.#into = into;
    this.#dense = this.child(
      'dense',
      new Linear(last.pixels * last.channels, hidden, { activation, dtype }, stream),
    );
    this.#contextLayer = this.contextTo(hidden, dtype, stream);
    this.#last = this.child(
      'last',
      new Linear(hidden, outputs, { dtype }, zeroInitialized ? null : stream),
    );
    stream.dispose();
  }

  override apply(x: Tensor, context: Tensor | null = null): Tensor {
    const n = this.samplesOf(x);
    return scope(() => {
      const { scales, activation } = this;
      const term = contextTerm('ConvEncoder', this.#contextLayer, context, n);
      const rows = ({ pixels }: Scale) => n * pixels;
      let h = this.#first.apply(
        reshape(x, [rows(scales[0] as Scale), this.#options.image.channels]),
      );
      for (const [l, scale] of scales.entries()) {
        if (l > 0) {
          const before = scales[l - 1] as Scale;
          const flat = reshape(activate(h, activation), [n, before.pixels * before.channels]);
          h = reshape(squeeze(flat, before), [rows(scale), 4 * before.channels]);
          h = (this.#into[l - 1] as Conv2d).apply(h);
        }
        for (const block of this.#blocks[l] as ResidualBlock[]) h = block.apply(h);
      }
      const last = scales.at(-1) as Scale;
      const flat = reshape(activate(h, activation), [n, last.pixels * last.channels]);
      return this.#last.apply(this.#dense.apply(flat, term));
    });
  }

  config(): Config {
    return withoutUndefined({ kind: 'convEncoder', ...this.#options }) as unknown as Config;
  }
}

const decoderRules: Rules<ConvDecoderOptions> = {
  ...coderRules,
  inputs: required(count),
  outputsPerPixel: count,
};

/** Rows [N, inputs] → images [N, H·W·P]: P numbers of each pixel. */
export class ConvDecoder extends Coder {
  override readonly inputs: number;
  override readonly outputs: number;
  readonly #options: ConvDecoderOptions;
  readonly #dense: Linear;
  readonly #spread: Linear;
  readonly #blocks: readonly ResidualBlock[][];
  /** Out of each scale but the first. */
  readonly #out: readonly Conv2d[];
  readonly #last: Conv2d;
  readonly #contextLayer: ContextLayer | null;

  constructor(options: ConvDecoderOptions) {
    super('ConvDecoder', checkOptions('ConvDecoder', options, decoderRules));
    const { image, inputs, hidden, blocks = 1 } = options;
    const { outputsPerPixel = image.channels } = options;
    requireSizes('ConvDecoder', { inputs, outputsPerPixel });
    this.#options = options;
    this.inputs = inputs;
    this.outputs = image.height * image.width * outputsPerPixel;
    const { scales, activation, dtype } = this;
    const [whole] = scales as [Scale, ...Scale[]];
    const deepest = scales.at(-1) as Scale;
    const stream = new RandomStream(options.seed ?? 0);
    this.#dense = this.child('dense', new Linear(inputs, hidden, { activation, dtype }, stream));
    this.#contextLayer = this.contextTo(hidden, dtype, stream);
    this.#spread = this.child(
      'spread',
      new Linear(hidden, deepest.pixels * deepest.channels, { dtype }, stream),
    );
    const out: Conv2d[] = [];
    this.#blocks = scales.map((scale, l) => {
      if (l > 0) {
        const outputs = 4 * (scales[l - 1] as Scale).channels;
        out.push(this.conv(`scales.${l}.out`, scale, { inputs: scale.channels, outputs }, stream));
      }
      return this.blocks(l, blocks, stream);
    });
    this.#out = out;
    this.#last = this.conv(
      'last',
      whole,
      {
        inputs: whole.channels,
        outputs: outputsPerPixel,
        zeroInitialized: options.zeroInitialized ?? false,
      },
      stream,
    );
    stream.dispose();
  }

  override apply(x: Tensor, context: Tensor | null = null): Tensor {
    const n = this.samplesOf(x);
    return scope(() => {
      const { scales, activation } = this;
      const term = contextTerm('ConvDecoder', this.#contextLayer, context, n);
      const deepest = scales.at(-1) as Scale;
      let h = this.#spread.apply(this.#dense.apply(x, term));
      h = reshape(h, [n * deepest.pixels, deepest.channels]);
      for (let l = scales.length - 1; l >= 0; l--) {
        for (const block of this.#blocks[l] as ResidualBlock[]) h = block.apply(h);
        h = activate(h, activation);
        if (l === 0) break;
        const above = scales[l - 1] as Scale;
        const flat = reshape((this.#out[l - 1] as Conv2d).apply(h), [
          n,
          above.pixels * above.channels,
        ]);
        h = reshape(unsqueeze(flat, above), [n * above.pixels, above.channels]);
      }
      return reshape(this.#last.apply(h), [n, this.outputs]);
    });
  }

  config(): Config {
    return withoutUndefined({ kind: 'convDecoder', ...this.#options }) as unknown as Config;
  }
}

register<ConvEncoderOptions & Config & { readonly kind: 'convEncoder' }>(
  'convEncoder',
  (config) => new ConvEncoder(config),
);
register<ConvDecoderOptions & Config & { readonly kind: 'convDecoder' }>(
  'convDecoder',
  (config) => new ConvDecoder(config),
);

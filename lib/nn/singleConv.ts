/** A single convolution as a conditioner: the learned prior of Glow's multi-scale architecture. */
import type { FloatDType } from '../dtype';
import { RandomStream } from '../ops';
import { checkOptions, count, dtype, type Rules, required, sides } from '../options';
import { type ImageShape, requireSizes } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { Conditioner } from './conditioner';
import { Conv2d } from './conv2d';
import { type Config, withoutUndefined } from './module';
import { register } from './registry';

export interface SingleConvOptions {
  readonly image: Pick<ImageShape, 'height' | 'width'>;
  readonly inputs: number;
  readonly outputs: number;
  readonly dtype?: FloatDType;
}

const singleConvRules: Rules<SingleConvOptions> = {
  image: required(sides),
  inputs: required(count),
  outputs: required(count),
  dtype,
};

/** 3×3 convolution times exp(3·logScale); it makes zeros at the start (conv2d_zeros of Glow's code). */
export class SingleConv extends Conditioner {
  override readonly inputs: number;
  override readonly outputs: number;
  override readonly positions: number;
  readonly conv: Conv2d;
  readonly #options: SingleConvOptions;

  constructor(options: SingleConvOptions) {
    super();
    checkOptions('SingleConv', options, singleConvRules);
    const { image, inputs, outputs, dtype = 'float32' } = options;
    const { height, width } = image;
    requireSizes('SingleConv', { height, width, inputs, outputs });
    this.#options = { image: { height, width }, inputs, outputs, dtype };
    this.inputs = inputs;
    this.outputs = outputs;
    this.positions = height * width;
    const stream = new RandomStream(0);
    this.conv = this.child(
      'conv',
      new Conv2d(
        {
          height,
          width,
          kernel: [3, 3],
          inputs,
          outputs,
          zeroInitialized: true,
          outputScale: true,
          dtype,
        },
        stream,
      ),
    );
    stream.dispose();
  }

  override apply(x: Tensor): Tensor {
    this.samplesOf(x);
    return this.conv.apply(x);
  }

  config(): Config {
    return withoutUndefined({ kind: 'singleConv', ...this.#options }) as Config;
  }
}

register<SingleConvOptions & Config & { readonly kind: 'singleConv' }>(
  'singleConv',
  (config) => new SingleConv(config),
);

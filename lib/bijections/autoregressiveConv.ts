/**
 * Emerging convolutions: Hoogeboom, van den Berg, Welling 2019, "Emerging Convolutions for Generative Normalizing Flows", section 3. A
 * convolution whose taps come before their pixel in an order of the pixels, and whose channels at the own pixel are triangular,
 * has a triangular matrix: its determinant is the product of its diagonal, its inverse a substitution. Two of opposite orders
 * one after the other make a filter that sees all around itself.
 */

import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { claimElements, zeros } from '../nn/initialization';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import {
  add,
  affineScalar,
  type ConvGeometry,
  conv2d,
  exp,
  expand,
  mul,
  RandomStream,
  reshape,
  sub,
  sum,
  wavefrontSolve,
} from '../ops';
import { encodeGeometry } from '../ops/conv2dGeometry';
import { wavefrontMask } from '../ops/wavefrontSolve';
import {
  anything,
  checkOptions,
  count,
  dtype,
  flag,
  image,
  type Rules,
  required,
  seed,
} from '../options';
import type { ImageShape } from '../shape';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';
import { Chain } from './chain';
import { requireImage } from './positions';

/** By how many quarter turns, clockwise, the raster order is turned: 0 from the top left, 2 from the bottom right. */
export type Rotation = 0 | 1 | 2 | 3;

export interface AutoregressiveConvOptions {
  readonly image: ImageShape;
  /** d, odd; default 3. */
  readonly kernel?: number;
  /** Default 0. */
  readonly rotation?: Rotation;
  /** Whether channel o sees the channels i ≤ o of its own pixel (default), or i ≥ o. */
  readonly lower?: boolean;
  /** Whether a learned bias, which starts at 0, is added; default false. */
  readonly bias?: boolean;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

/** Deviation of the weights at the start: the map starts near the identity. */
const startDeviation = 0.05;

/** A place of the kernel turned by quarter turns. */
function turned(side: number, rotation: Rotation, dy: number, dx: number): number {
  let [y, x] = [dy, dx];
  for (let k = 0; k < rotation; k++) [y, x] = [x, -y];
  const middle = (side - 1) / 2;
  return (y + middle) * side + (x + middle);
}

/** The taps before the pixel in the turned raster order, with the pixel, and the direction along which they step back. */
function orderOf(side: number, rotation: Rotation) {
  const reach = (side - 1) / 2;
  const taps: number[] = [];
  for (let dy = -reach; dy <= 0; dy++)
    for (let dx = -reach; dx <= (dy === 0 ? 0 : reach); dx++)
      taps.push(turned(side, rotation, dy, dx));
  let [a, b] = [reach + 1, 1];
  for (let k = 0; k < rotation; k++) [a, b] = [b, -a];
  return { taps: taps.sort((p, q) => p - q), direction: [a, b] as const };
}

const autoregressiveConvRules: Rules<AutoregressiveConvOptions> = {
  image: required(image),
  kernel: count,
  rotation: anything,
  lower: flag,
  bias: flag,
  seed,
  dtype,
};

/** y = A x + b; log|det A| = height·width·Σ log|diagonal|. The inverse goes front by front over the image. */
export class AutoregressiveConv extends Bijection {
  override readonly features: number;
  readonly image: ImageShape;
  readonly kernel: number;
  readonly rotation: Rotation;
  readonly lower: boolean;
  readonly seed: number;
  readonly dtype: FloatDType;
  /** [C, d²·C], columns in the order (ky, kx, channel); what the order masks, and the diagonal, is not read. */
  readonly weight: Tensor;
  /** [C]: log|diagonal| of the own pixel's triangle. */
  readonly logScale: Tensor;
  /** [C]: signs of the diagonal, state. */
  readonly sign: Tensor;
  /** [C], or null. */
  readonly bias: Tensor | null;
  readonly #geometry: ConvGeometry;
  readonly #direction: readonly [number, number];
  /** Of the weight: 1 where it counts, but on the diagonal; and 1 on the diagonal. */
  readonly #mask: Tensor;
  readonly #diagonal: Tensor;

  constructor(options: AutoregressiveConvOptions) {
    super();
    checkOptions('AutoregressiveConv', options, autoregressiveConvRules);
    const { image, kernel = 3, rotation = 0, lower = true, bias = false } = options;
    const { seed = 0, dtype = 'float32' } = options;
    requireImage('AutoregressiveConv', image);
    if (!(Number.isSafeInteger(kernel) && kernel >= 1 && kernel % 2 === 1)) {
      throw new FlowError(
        'ARGUMENT',
        expected('AutoregressiveConv', 'kernel', 'an odd side', String(kernel), 'pass 3 or 5'),
      );
    }
    if (![0, 1, 2, 3].includes(rotation)) {
      throw new FlowError(
        'ARGUMENT',
        expected('AutoregressiveConv', 'rotation', '0 to 3', String(rotation), 'quarter turns'),
      );
    }
    const { height, width, channels } = image;
    this.image = { height, width, channels };
    this.features = height * width * channels;
    this.kernel = kernel;
    this.rotation = rotation;
    this.lower = lower;
    this.seed = seed;
    this.dtype = dtype;
    const { taps, direction } = orderOf(kernel, rotation);
    this.#geometry = { height, width, kernel: [kernel, kernel], taps };
    this.#direction = direction;
    const places = kernel ** 2;
    const shape = [channels, places * channels];
    claimElements(channels * places * channels);
    const stream = new RandomStream(seed);
    this.weight = this.parameter(
      'weight',
      scope(() => affineScalar(stream.normal(shape, dtype), startDeviation)),
    );
    stream.dispose();
    this.logScale = this.parameter('logScale', zeros([channels], dtype));
    this.sign = this.state('sign', this.#held(new Float64Array(channels).fill(1), [channels]));
    this.bias = bias ? this.parameter('bias', zeros([channels], dtype)) : null;
    const mask = wavefrontMask(
      encodeGeometry('AutoregressiveConv', this.#geometry),
      channels,
      lower,
    );
    const diagonal = new Float64Array(mask.length);
    for (let c = 0; c < channels; c++) {
      const at = (c * places + (places - 1) / 2) * channels + c;
      mask[at] = 0;
      diagonal[at] = 1;
    }
    this.#mask = this.own(this.#held(mask, shape));
    this.#diagonal = this.own(this.#held(diagonal, shape));
  }

  #held(values: Float64Array, shape: readonly number[]): Tensor {
    return tensorOfArray(this.dtype === 'float32' ? Float32Array.from(values) : values, shape);
  }

  /** The weight of the convolution as it is run. */
  #effective(): Tensor {
    const scale = reshape(mul(this.sign, exp(this.logScale)), [this.image.channels, 1]);
    return add(mul(this.weight, this.#mask), mul(this.#diagonal, scale));
  }

  #logDet(samples: number, sign: number): Tensor {
    const { height, width } = this.image;
    const each = sum(this.logScale, undefined, { dtype: 'float64' });
    return expand(each, [samples], { scale: sign * height * width });
  }

  #pixels(x: Tensor): Tensor {
    const { height, width, channels } = this.image;
    return reshape(x, [x.rows * height * width, channels]);
  }

  protected override mapForward(x: Tensor): Forward {
    return scope(() => {
      const y = conv2d(this.#pixels(x), this.#effective(), this.bias, this.#geometry);
      return { y: reshape(y, x.shape), logDet: this.#logDet(x.rows, 1) };
    });
  }

  protected override mapInverse(y: Tensor): Inverse {
    return scope(() => {
      const pixels = this.#pixels(y);
      const given = this.bias ? sub(pixels, this.bias) : pixels;
      const x = wavefrontSolve(given, this.#effective(), {
        ...this.#geometry,
        direction: this.#direction,
        lower: this.lower,
      });
      return { x: reshape(x, y.shape), logDet: this.#logDet(y.rows, -1) };
    });
  }

  config(): Config {
    const { image, kernel, rotation, lower, seed, dtype } = this;
    const bias = this.bias !== null;
    return {
      kind: 'autoregressiveConv',
      image: { ...image },
      kernel,
      rotation,
      lower,
      bias,
      seed,
      dtype,
    };
  }
}

/**
 * Two autoregressive convolutions of opposite orders, of pixels and of channels: a filter that sees up to d − 1 pixels all
 * around itself.
 *
 * @param options.rotation of the first; the second is turned by half a turn from it
 */
export function emergingConv(options: Omit<AutoregressiveConvOptions, 'lower'>): Chain {
  checkOptions('emergingConv', options, autoregressiveConvRules);
  const { rotation = 0, seed = 0 } = options;
  return new Chain([
    new AutoregressiveConv({ ...options, rotation, seed, lower: true, bias: false }),
    new AutoregressiveConv({
      ...options,
      rotation: ((rotation + 2) % 4) as Rotation,
      seed: seed + 15485863,
      lower: false,
    }),
  ]);
}

register<AutoregressiveConvOptions & Config & { kind: 'autoregressiveConv' }>(
  'autoregressiveConv',
  (config) => new AutoregressiveConv(config),
);

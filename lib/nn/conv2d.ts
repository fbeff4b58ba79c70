/** Convolution layers. */
import { type FloatDType, floatArray } from '../dtype';
import {
  type Activation,
  type ConvGeometry,
  type ConvStackLayer,
  conv2d,
  RandomStream,
  rowNorms,
  type ScaledLayer,
  scaleWeights,
  weightNorm,
} from '../ops';
import { activationRule } from '../ops/activation';
import { geometryRules } from '../ops/conv2dGeometry';
import {
  checkArgument,
  checkOptions,
  count,
  dtype,
  flag,
  one,
  picked,
  type Rules,
  required,
} from '../options';
import type { Shape } from '../shape';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { ChannelMoments, leastDeviation } from './channelMoments';
import { type Derivation, Derived } from './derived';
import { uniformByFanIn, zeros } from './initialization';
import { type Config, Module, withoutUndefined } from './module';

export interface Conv2dLayerOptions extends ConvGeometry {
  readonly inputs: number;
  readonly outputs: number;
  /** Default none. */
  readonly activation?: Activation;
  /** Default true. */
  readonly bias?: boolean;
  /**
   * Weight of output o = gain_o · v_o/‖v_o‖ (Salimans, Kingma 2016); `weight` holds v, and the gain starts at ‖v_o‖.
   * Default false.
   */
  readonly weightNorm?: boolean;
  /**
   * Output o, bias included, is multiplied by exp(3·logScale_o), which starts at 1: as the last convolution of Glow's
   * couplings (Kingma, Dhariwal 2018; conv2d_zeros of their code). Default false.
   */
  readonly outputScale?: boolean;
  /**
   * Actnorm between the convolution and the activation (Kingma, Dhariwal 2018; conv2d of their code): the same factor,
   * and {@link Conv2d.standardize} sets it and the bias so that the first rows leave with mean 0 and deviation 1. Default false.
   */
  readonly actNorm?: boolean;
  /** The layer makes zeros at the start, as last layers of flows do. Default false. */
  readonly zeroInitialized?: boolean;
  readonly dtype?: FloatDType;
}

/** logscale_factor of Glow's code. */
const logScaleFactor = 3;

/**
 * Numbers of a weight up to which it is scaled together with those of other layers: a larger one is worth a launch of its own, and not
 * worth keeping until the end of a step.
 */
const mostTogether = 1 << 16;

/** The weight, and the bias where it is scaled too. */
const scaling: Derivation<ScaledLayer, readonly [Tensor, ...Tensor[]]> = {
  parameters: (layer) => Object.values(layer).filter((tensor) => tensor !== null),
  make: (layers) =>
    scaleWeights(layers, logScaleFactor).map(({ weight, bias }) =>
      bias ? [weight, bias] : [weight],
    ),
};

const conv2dRules: Rules<Conv2dLayerOptions> = {
  ...geometryRules,
  inputs: required(count),
  outputs: required(count),
  activation: activationRule,
  bias: flag,
  weightNorm: flag,
  outputScale: flag,
  actNorm: flag,
  zeroInitialized: flag,
  dtype,
};

/** Images as rows of pixels [N·height·width, inputs] → [.., outputs]. */
export class Conv2d extends Module {
  readonly inputs: number;
  readonly outputs: number;
  /** [outputs, kh·kw·inputs], columns in the order (ky, kx, channel); with weightNorm the directions. */
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  /** [outputs], with weightNorm. */
  readonly gain: Tensor | null;
  /** [outputs], with outputScale or actNorm. */
  readonly logScale: Tensor | null;
  /** Channels that varied less than `floor` in the rows that set the actnorm here; empty for a model that was loaded. */
  constantChannels: readonly number[] = [];
  readonly floor = leastDeviation;
  readonly #initialized: Tensor | null;
  /** Null: the parameters are used as they are. */
  readonly #scaled: Derived<ScaledLayer, readonly [Tensor, ...Tensor[]]> | null;

  /** @param stream random numbers for the start */
  constructor(
    readonly options: Conv2dLayerOptions,
    stream: RandomStream,
  ) {
    super();
    checkArgument(
      'Conv2d',
      'stream',
      stream,
      one('a RandomStream', () => RandomStream),
    );
    checkOptions('Conv2d', options, conv2dRules);
    const { inputs, outputs, kernel, dtype = 'float32', zeroInitialized: zero = false } = options;
    this.inputs = inputs;
    this.outputs = outputs;
    const places = kernel[0] * kernel[1];
    const fanIn = (options.taps?.length ?? places) * inputs;
    const random = (shape: Shape) => uniformByFanIn(stream, shape, fanIn, dtype);
    const start = zero ? (shape: Shape) => zeros(shape, dtype) : random;
    const shape = [outputs, places * inputs];
    // A direction cannot be zero: with weightNorm the gain is.
    this.weight = this.parameter('weight', options.weightNorm ? random(shape) : start(shape));
    this.bias = (options.bias ?? true) ? this.parameter('bias', start([outputs])) : null;
    this.gain = options.weightNorm
      ? this.parameter('gain', zero ? zeros([outputs], dtype) : scope(() => rowNorms(this.weight)))
      : null;
    this.logScale =
      options.outputScale || options.actNorm
        ? this.parameter('logScale', zeros([outputs], dtype))
        : null;
    this.#initialized = options.actNorm
      ? this.state('initialized', tensorOfArray(Int32Array.of(0), [1]))
      : null;
    const layer = (): ScaledLayer => {
      const { weight, logScale, gain } = this;
      return { weight, bias: logScale && this.bias, logScale, gain };
    };
    this.#scaled = null;
    if (this.gain || this.logScale)
      this.#scaled =
        this.weight.size <= mostTogether
          ? this.derive(scaling, layer)
          : new Derived(scaling, layer);
  }

  /** False where there is an actnorm that no rows have set yet. It is saved state. */
  get initialized(): boolean {
    return this.#initialized === null || this.#initialized.item() !== 0;
  }

  /**
   * Sets the actnorm, unless it was set before.
   *
   * @param inputs shows a visitor the inputs of this layer, piece by piece
   */
  *standardize(inputs: (visit: (x: Tensor) => void) => Generator<void, void>) {
    const { bias, logScale } = this;
    if (this.initialized || bias === null || logScale === null) return;
    const { dtype = 'float32' } = this.options;
    const moments = new ChannelMoments(this.outputs);
    const linear = { ...this.#map(), activation: 'none' } as const;
    yield* inputs((x) => moments.add(conv2d(x, this.#normed(), null, linear)));
    const found = moments.logScale(this.floor);
    bias.write(
      floatArray(
        dtype,
        moments.mean.map((mean) => -mean),
      ),
    );
    logScale.write(
      floatArray(
        dtype,
        found.logScale.map((value) => value / logScaleFactor),
      ),
    );
    this.#initialized?.write(Int32Array.of(1));
    this.constantChannels = found.constantChannels;
  }

  #normed(): Tensor {
    return this.gain ? weightNorm(this.weight, this.gain) : this.weight;
  }

  /** Weight and bias of the convolution as it is run: the norm and the output's scale are in them. */
  effective(): { weight: Tensor; bias: Tensor | null } {
    const { weight, bias } = this;
    if (this.#scaled === null) return { weight, bias };
    const [scaledWeight, scaledBias] = this.#scaled.tensors();
    return { weight: scaledWeight, bias: scaledBias ?? bias };
  }

  /** The layer as {@link convStack} takes it. */
  get layer(): ConvStackLayer {
    return { ...this.#map(), ...this.effective() };
  }

  /**
   * @param x [N·height·width, inputs]; may be a view of some columns of a wider tensor
   * @param addend of the shape of the result, added before the activation
   */
  apply(x: Tensor, addend: Tensor | null = null): Tensor {
    return scope(() => {
      const { weight, bias } = this.effective();
      return conv2d(x, weight, bias, { ...this.#map(), addend });
    });
  }

  /** Where the pixels are and what becomes of them, as conv2d takes it. */
  #map() {
    const { activation = 'none' } = this.options;
    return { ...picked(this.options, geometryRules), activation };
  }

  config(): Config {
    return withoutUndefined({ kind: 'conv2d', ...this.options }) as Config;
  }
}

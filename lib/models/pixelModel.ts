/** Autoregressive models of images: p(x) = Π p(x_i | x_<i), pixel by pixel in raster order, colour by colour. */
import { type FloatDType, typedArray } from '../dtype';
import { expected, FlowError } from '../errors';
import { oneOf } from '../flows/choice';
import { inChunks } from '../flows/chunks';
import { contextRows } from '../flows/context';
import { freshSeed, requireDrawn, requireSamples } from '../flows/draws';
import { requireFixedMap } from '../flows/fixedMap';
import type { Dequantization } from '../flows/flowParts';
import { aMap } from '../flows/flowParts';
import { ContextLayer } from '../nn/contextLayer';
import { MaskedConv2d, type MaskedConv2dOptions } from '../nn/maskedConv2d';
import {
  abs,
  affineScalar,
  cast,
  full,
  greaterEqual,
  max,
  minimum,
  pixelSample,
  RandomStream,
  reshape,
  where,
} from '../ops';
import {
  anything,
  checkOptions,
  count,
  countOrNone,
  dtype,
  image,
  object,
  orNull,
  type Rules,
  required,
  seed,
  seed as seedRule,
  word,
} from '../options';
import { type ImageShape, requireSizes } from '../shape';
import { type Rows, rowsTensor } from '../tensor/input';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import type { GenerativeModel } from './generative';
import { type ModelOptions, OptionsModel } from './optionsModel';
import { PixelGraph } from './pixelGraph';
import { PixelLikelihood, type PixelLikelihoodOptions } from './pixelLikelihood';

export interface PixelModelOptions extends PixelLikelihoodOptions, ModelOptions {
  /** Sides and channels. Rows are height·width·channels numbers, channels last. */
  readonly image: ImageShape;
  /**
   * Binary pixels of data of so many levels: each batch of training draws bit 1 with the probability x/(levels − 1) anew, as
   * papers do for MNIST ("dynamic binarisation"). Default: the data are what the likelihood describes.
   */
  readonly binarization?: { readonly levels: number } | null;
  /** Width of a context, as of classes. Default 0. */
  readonly contextFeatures?: number;
  /** What the rows are, for whoever opens the file. */
  readonly description?: Readonly<Record<string, string>>;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

/** What each of them must be. */
export const pixelModelRules: Rules<PixelModelOptions> = {
  image: required(image),
  likelihood: word('bernoulli', 'categorical', 'logistic'),
  levels: count,
  components: count,
  binarization: orNull(object),
  contextPreprocessing: aMap,
  contextFeatures: countOrNone,
  description: object,
  seed,
  dtype,
};

export interface PixelSampleOptions {
  /** Same seed, same images. Default: another one each time. */
  readonly seed?: number;
  /** One row for all images, or one row an image. */
  readonly context?: Rows | null;
  /**
   * cached (default): each activation is computed once, about the work of one pass. naive: a whole pass a pixel, as a check;
   * with the same seed the same bits.
   */
  readonly method?: 'cached' | 'naive';
  /** 1: other temperatures are not there. */
  readonly temperature?: number;
}

const logProbRules = { seed: seedRule, space: anything, samples: anything };
const sampleRules: Rules<PixelSampleOptions> = {
  seed: seedRule,
  context: anything,
  method: word('cached', 'naive'),
  temperature: anything,
};

/** A convolution of such a model; without `groups` it sees its own pixel by mask B. */
export type PixelConvOptions = Partial<MaskedConv2dOptions> & {
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: readonly [height: number, width: number];
};

export abstract class PixelModel<O extends PixelModelOptions = PixelModelOptions>
  extends OptionsModel<O>
  implements GenerativeModel
{
  readonly image: ImageShape;
  readonly features: number;
  readonly contextFeatures: number;
  readonly dtype: FloatDType;
  readonly description: Readonly<Record<string, string>>;
  readonly likelihood: PixelLikelihood;
  readonly binarization: { readonly levels: number } | null;
  readonly preprocessing = null;
  protected readonly graph: PixelGraph;
  readonly #seed: number;
  #stream: RandomStream | null = null;

  constructor(kind: string, options: O) {
    super(kind, options);
    const where = this.constructor.name;
    const { height, width, channels } = options.image;
    requireSizes(where, { height, width, channels });
    this.image = { height, width, channels };
    this.features = height * width * channels;
    this.dtype = options.dtype ?? 'float32';
    this.contextFeatures = options.contextFeatures ?? 0;
    if (!Number.isSafeInteger(this.contextFeatures) || this.contextFeatures < 0) {
      const got = String(this.contextFeatures);
      const remedy = 'pass the columns of the context';
      throw new FlowError(
        'ARGUMENT',
        expected(where, 'contextFeatures', 'a whole number ≥ 0', got, remedy),
      );
    }
    const { contextPreprocessing: map, contextFeatures } = this;
    requireFixedMap(where, 'contextPreprocessing', map, contextFeatures, 'columns of the context');
    this.description = options.description ?? {};
    this.likelihood = new PixelLikelihood(where, channels, options);
    this.binarization = options.binarization ?? null;
    if (this.binarization) {
      const { levels } = this.binarization;
      const fits =
        this.likelihood.kind === 'bernoulli' && Number.isSafeInteger(levels) && levels > 1;
      if (!fits) {
        throw new FlowError(
          'ARGUMENT',
          expected(
            where,
            'binarization',
            'two levels or more, and the likelihood bernoulli',
            `${levels} and ${this.likelihood.kind}`,
            'other likelihoods take levels as they are',
          ),
        );
      }
    }
    this.graph = new PixelGraph(this.image);
    this.#seed = options.seed ?? 0;
  }

  /** Integers that `logProb` and `fit` take. */
  get dequantization(): Dequantization {
    return { levels: (this.binarization ?? this.likelihood).levels };
  }

  /** height·width. */
  get positions(): number {
    return this.image.height * this.image.width;
  }

  /** What a model's layers start with, one after the other; until {@link finish}. */
  protected get stream(): RandomStream {
    this.#stream ??= new RandomStream(this.#seed);
    return this.#stream;
  }

  protected conv(name: string, options: PixelConvOptions): MaskedConv2d {
    const { height, width } = this.image;
    const groups = { count: this.likelihood.groups, own: true };
    const all = { height, width, dtype: this.dtype, groups, ...options };
    return this.child(name, new MaskedConv2d(all, this.stream));
  }

  /** The map of what a context adds to so many units at each pixel, alike at all; null for a model without one. */
  protected contextMap(name: string, units: number): number | null {
    if (this.contextFeatures === 0) return null;
    const { contextFeatures, positions, dtype } = this;
    const layer = new ContextLayer(contextFeatures, units, positions, dtype, this.stream);
    return this.graph.context(this.child(name, layer));
  }

  /** From the map of the last layers to the likelihood's parameters: two 1×1 convolutions, `head` channels between. */
  protected finish(features: number, head: number): void {
    const { graph } = this;
    const kernel = [1, 1] as const;
    const inputs = graph.channels(features);
    const first = this.conv('head.0', { inputs, outputs: head, kernel, activation: 'relu' });
    const before = graph.conv(graph.relu(features), first);
    const outputs = this.likelihood.columns;
    graph.conv(before, this.conv('head.1', { inputs: head, outputs, kernel }));
    this.stream.dispose();
  }

  /** Throws unless `hidden` channels can stand in equal groups, one a colour. */
  protected requireGroups(where: string, sizes: Readonly<Record<string, number>>): void {
    requireSizes(where, sizes);
    const { groups } = this.likelihood;
    for (const [what, size] of Object.entries(sizes)) {
      if (size % groups === 0) continue;
      throw new FlowError(
        'ARGUMENT',
        expected(
          where,
          what,
          `a multiple of the ${groups} colours`,
          String(size),
          'or choose the likelihood logistic',
        ),
      );
    }
  }

  /**
   * The parameters of each pixel's distribution, of the pixels before it.
   *
   * @param x [N, D] levels, float
   * @returns [N·height·width, columns of the likelihood]
   */
  predict(x: Tensor, context: Tensor | null = null): Tensor {
    return scope(() => {
      const pixels = reshape(x, [x.rows * this.positions, this.image.channels]);
      return this.graph.run(this.likelihood.scale(pixels), this.conditions(context));
    });
  }

  /**
   * @param x [N, D] levels, float
   * @returns [N] float64, on the tape
   */
  logProbOfRows(x: Tensor, context: Tensor | null = null): Tensor {
    return scope(() => this.likelihood.logProb(this.predict(x, context), x));
  }

  /**
   * Log-probability of images.
   *
   * @param x [N, D] whole numbers 0 … levels − 1; −∞ where one is none. A model that binarises draws bits of integers, and takes
   *   floats as bits: −∞ where one is neither 0 nor 1
   * @param options `seed` of the binarisation, default 0
   * @returns [N] float64, nats
   */
  logProb(x: Rows, context: Rows | null = null, options: { readonly seed?: number } = {}): Tensor {
    checkOptions('logProb', options, logProbRules);
    return this.here(() => {
      const given = rowsTensor('logProb', 'x', x, this.features, this.dtype);
      const stream = new RandomStream(options.seed ?? 0);
      const isInteger = given.dtype === 'uint8' || given.dtype === 'int32';
      const rows = isInteger ? this.dequantize(given, stream) : cast(given, this.dtype);
      stream.dispose();
      const conditions = contextRows('logProb', this, context, rows.rows);
      return inChunks(rows, conditions, (part, its) => {
        const logProb = this.logProbOfRows(part, its);
        return this.likelihood.kind === 'bernoulli' ? ofBits(part, logProb) : logProb;
      });
    });
  }

  /** Bits a dimension of a log-probability in nats. */
  bitsPerDim(logProb: number): number {
    return -logProb / (this.features * Math.LN2);
  }

  /** Integers become bits where the model binarises, else floats. */
  dequantize(x: Tensor, stream: RandomStream): Tensor {
    return this.here(() => {
      const floats = cast(x, this.dtype);
      if (!this.binarization) return floats;
      return stream.bernoulli(affineScalar(floats, 1 / (this.binarization.levels - 1)));
    });
  }

  /**
   * Draws images pixel by pixel.
   *
   * @returns [samples, D] levels; of a model that binarises the first and the last of the data's
   */
  sample(samples: number, options: PixelSampleOptions = {}): Tensor {
    checkOptions('sample', options, sampleRules);
    requireSamples(samples);
    const { method = 'cached', temperature = 1 } = options;
    oneOf('sample', 'method', method, ['cached', 'naive']);
    if (temperature !== 1) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'sample',
          'temperature',
          '1',
          String(temperature),
          'a model of pixels draws from its own distribution only: leave it out',
        ),
      );
    }
    return this.here(() => {
      const context = contextRows('sample', this, options.context ?? null, samples);
      const stream = new RandomStream(options.seed ?? freshSeed());
      const uniform = stream.uniform(
        [samples * this.positions, this.likelihood.uniforms],
        this.dtype,
      );
      stream.dispose();
      if (samples === 0) return reshape(uniform, [0, this.features]);
      const levels =
        method === 'naive' ? this.#naive(uniform, context) : this.#cached(uniform, context);
      const images = requireDrawn(reshape(levels, [samples, this.features]));
      return this.binarization ? affineScalar(images, this.binarization.levels - 1) : images;
    });
  }

  #cached(uniform: Tensor, context: Tensor | null): Tensor {
    const values = this.likelihood.values(this.dtype);
    return pixelSample(
      uniform,
      values,
      this.image,
      this.likelihood.draws,
      this.graph.encode(this.conditions(context)),
    );
  }

  /** A pass over all pixels for each pixel and group of colours. */
  #naive(uniform: Tensor, context: Tensor | null): Tensor {
    const { channels } = this.image;
    const { groups } = this.likelihood;
    const positions = this.positions;
    const values = typedArray(this.dtype, uniform.rows * channels);
    const x = tensorOfArray(values, [uniform.rows / positions, this.features]);
    for (let pixel = 0; pixel < positions; pixel++) {
      for (let group = 0; group < groups; group++) {
        const drawn = scope(() =>
          this.likelihood.draw(this.predict(x, context), uniform).dataSync(),
        );
        for (let row = pixel; row < uniform.rows; row += positions) {
          for (let c = 0; c < channels; c++) {
            if (groups > 1 && c !== group) continue;
            values[row * channels + c] = drawn[row * channels + c] as number;
          }
        }
        x.write(values);
      }
    }
    return reshape(x, [uniform.rows, channels]);
  }
}

/** log p, −∞ in rows with a number that is neither 0 nor 1. @param x [N, D] */
function ofBits(x: Tensor, logProb: Tensor): Tensor {
  return scope(() => {
    const away = max(minimum(abs(x), abs(affineScalar(x, 1, -1))), -1);
    const bits = greaterEqual(0, cast(away, 'float64'));
    return where(reshape(bits, logProb.shape), logProb, full([], -Infinity, 'float64'));
  });
}

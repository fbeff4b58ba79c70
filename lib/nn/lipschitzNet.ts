/**
 * Networks of a Lipschitz constant below 1, with forward mode: the g of residual flows, y = x + g(x). Behrmann et al. 2019,
 * "Invertible Residual Networks"; Chen et al. 2019, "Residual Flows for Invertible Generative Modeling".
 */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import {
  activationSlope,
  type ConvGeometry,
  isSmoothActivation,
  mul,
  RandomStream,
  type SeriesLayer,
  type SmoothActivation,
  softplus,
} from '../ops';
import {
  above0,
  anything,
  checkOptions,
  count,
  countOrNone,
  counts,
  dtype,
  flag,
  object,
  type Rules,
  required,
  seed,
  sides,
} from '../options';
import type { ImageShape } from '../shape';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Conditioner } from './conditioner';
import { type ContextLayer, contextTerm } from './contextLayer';
import type { NormOrder } from './inducedNorm';
import { constant } from './initialization';
import { type Config, withoutUndefined } from './module';
import { register } from './registry';
import { SpectralLayer } from './spectral';

/**
 * Layers bounded as operators from one vector norm to another: the network is a contraction in the first of them. Norms other than
 * the spectral one, and those from p = 1 or to q = ∞, are found by power iteration alone, from several starts at the end of
 * a training: a maximum that it misses leaves a layer above its bound.
 */
export interface InducedNorms {
  /**
   * p of ‖x‖_p in which the input of each layer is measured, 1 to Infinity: one for all, or a list of them; the last layer's output is
   * measured as the first one's input. 'learned': by training, from 2 on.
   */
  readonly orders: number | readonly number[] | 'learned';
}

export interface LipschitzNetOptions {
  /** C: columns of a position, in and out. */
  readonly channels: number;
  /** Of convolutions; left out: linear layers, for tables. */
  readonly image?: Pick<ImageShape, 'height' | 'width'>;
  /** Widths of the hidden layers; default [128, 128, 128], of images [128, 128]. */
  readonly hidden?: readonly number[];
  /** Side of each layer's kernel, odd; default 3 for the first and last and 1 between (the paper's 3-1-3). */
  readonly kernels?: readonly number[];
  /** Default lipSwish, with a learned factor a layer. */
  readonly activation?: SmoothActivation;
  /** Before the first layer too. Default false. */
  readonly preActivation?: boolean;
  /** Which norms of the layers are bounded; default the spectral ones. */
  readonly norm?: InducedNorms;
  /** The bound of each layer's norm, below 1; default 0.9. */
  readonly coefficient?: number;
  /** Power iterations in each training step; default 2. */
  readonly iterations?: number;
  /** Width of a context; it enters the first layer, alike at all positions. Default 0: none. */
  readonly contextFeatures?: number;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

/** What the network is near a point: J = A_L·S_L ⋯ A_1·S_1. */
export interface Linearization {
  /** g(x) [N·positions, C]. */
  readonly out: Tensor;
  /** The factors of J, first to last, as residualSeries takes them. */
  readonly layers: readonly SeriesLayer[];
  /** J·u for u [N·positions, C], by differentiable ops. */
  jvp(u: Tensor): Tensor;
  /** Jᵀ·u. */
  vjp(u: Tensor): Tensor;
}

/** What the layers are made of at the moment. */
interface Operands {
  /** What the context adds to the first layer, or null. */
  readonly term: Tensor | null;
  readonly weights: readonly Tensor[];
  readonly betas: readonly (Tensor | null)[];
}

/** β of lipSwish is softplus of this at the start, as in the paper's code. */
const startOfBeta = 0.5;

const lipschitzNetRules: Rules<LipschitzNetOptions> = {
  channels: required(count),
  image: sides,
  hidden: counts,
  kernels: counts,
  activation: anything,
  preActivation: flag,
  norm: object,
  coefficient: above0,
  iterations: anything,
  contextFeatures: countOrNone,
  seed,
  dtype,
};

/** A_L∘f∘A_(L−1)∘…∘f∘A_1, f of slope at most 1, ‖A_l‖ ≤ coefficient; no bound on what the context does. */
export class LipschitzNet extends Conditioner {
  readonly channels: number;
  override readonly inputs: number;
  override readonly outputs: number;
  override readonly positions: number;
  override readonly contextFeatures: number;
  readonly coefficient: number;
  readonly activation: SmoothActivation;
  readonly dtype: FloatDType;
  readonly layers: readonly SpectralLayer[];
  readonly contextLayer: ContextLayer | null;
  /** β of each activation before softplus, [1]; null before the first layer without preActivation, and for other activations. */
  readonly #betas: readonly (Tensor | null)[];
  readonly #preActivation: boolean;
  readonly #options: LipschitzNetOptions;

  constructor(options: LipschitzNetOptions) {
    super();
    checkOptions('LipschitzNet', options, lipschitzNetRules);
    const { channels, image, contextFeatures = 0, dtype = 'float32' } = options;
    const { activation = 'lipSwish', coefficient = 0.9, iterations = 2 } = options;
    const { hidden = image ? [128, 128] : [128, 128, 128] } = options;
    const widths = [channels, ...hidden, channels];
    const count = widths.length - 1;
    const usual = widths.slice(1).map((_, l) => (image && (l === 0 || l === count - 1) ? 3 : 1));
    const kernels = options.kernels ?? usual;
    check({ widths, kernels, coefficient, iterations, activation, image });
    const orders = this.#orders(options.norm, count, dtype);
    this.#options = structuredClone(options);
    this.channels = channels;
    this.inputs = channels;
    this.outputs = channels;
    this.positions = image ? image.height * image.width : 1;
    this.contextFeatures = contextFeatures;
    this.coefficient = coefficient;
    this.activation = activation;
    this.dtype = dtype;
    this.#preActivation = options.preActivation ?? false;
    const stream = new RandomStream(options.seed ?? 0);
    this.layers = kernels.map((side, l) => {
      const geometry: ConvGeometry | null = image
        ? { height: image.height, width: image.width, kernel: [side, side] }
        : null;
      const [inputs, outputs] = [widths[l] as number, widths[l + 1] as number];
      const between = orders && {
        domain: orders[l] as NormOrder,
        codomain: orders[(l + 1) % count] as NormOrder,
      };
      const layer = { inputs, outputs, geometry, coefficient, iterations, dtype, orders: between };
      return this.child(`layers.${l}`, new SpectralLayer(layer, stream));
    });
    this.#betas = this.layers.map((_, l) => {
      if (activation !== 'lipSwish' || (l === 0 && !this.#preActivation)) return null;
      const start =
        dtype === 'float32' ? Float32Array.of(startOfBeta) : Float64Array.of(startOfBeta);
      return this.parameter(`beta.${l}`, tensorOfArray(start, [1]));
    });
    this.contextLayer = this.contextTo(widths[1] as number, dtype, stream);
    stream.dispose();
    for (const layer of this.layers) layer.converge(0);
  }

  /** One order a layer; null: all are 2. */
  #orders(norm: InducedNorms | undefined, count: number, dtype: FloatDType): NormOrder[] | null {
    const { orders = 2 } = norm ?? {};
    if (orders === 'learned') {
      const raw = (l: number) => this.parameter(`order.${l}`, constant([1], 0, dtype));
      return Array.from({ length: count }, (_, l) => ({ raw: raw(l) }));
    }
    const given = typeof orders === 'number' ? new Array<number>(count).fill(orders) : [...orders];
    if (given.length !== count || !given.every((p) => p >= 1)) {
      const wanted = `'learned', a number from 1 to Infinity, or ${count} of them`;
      throw new FlowError(
        'ARGUMENT',
        expected('LipschitzNet', 'norm.orders', wanted, String(orders), 'one a layer'),
      );
    }
    return given.every((p) => p === 2) ? null : given;
  }

  /** A bound on the Lipschitz constant of g in x: coefficient^L, in the norm of the first order. */
  get lipschitz(): number {
    return this.coefficient ** this.layers.length;
  }

  /** Power iterations of a training step; nothing is read, so that they can be recorded. */
  advance(): void {
    for (const layer of this.layers) layer.iterate(layer.options.iterations);
  }

  /** g(x); see {@link linearize} for the derivatives. */
  override apply(x: Tensor, context: Tensor | null = null): Tensor {
    return scope(() => this.#pass(x, this.#operands(context, this.samplesOf(x)), false).out);
  }

  /** g with its weights as they are now and one context, for who calls it again and again. */
  fixed(context: Tensor | null, samples: number): (x: Tensor) => Tensor {
    const operands = this.#operands(context, samples);
    return (x) => scope(() => this.#pass(x, operands, false).out);
  }

  /**
   * g(x) and its Jacobian by factors.
   *
   * @param x [N·positions, C]
   */
  linearize(x: Tensor, context: Tensor | null = null): Linearization {
    const operands = this.#operands(context, this.samplesOf(x));
    const { out, slopes } = this.#pass(x, operands, true);
    const { layers } = this;
    const { weights } = operands;
    return {
      out,
      layers: layers.map(({ geometry }, l) => ({
        weight: weights[l] as Tensor,
        slopes: slopes[l] ?? null,
        geometry,
      })),
      jvp: (u) =>
        scope(() =>
          layers.reduce((t, layer, l) => {
            const slope = slopes[l];
            return layer.map(slope ? mul(slope, t) : t, weights[l] as Tensor);
          }, u),
        ),
      vjp: (u) =>
        scope(() =>
          layers.reduceRight((t, layer, l) => {
            const slope = slopes[l];
            const before = layer.transposed(t, weights[l] as Tensor);
            return slope ? mul(slope, before) : before;
          }, u),
        ),
    };
  }

  #operands(context: Tensor | null, samples: number): Operands {
    return {
      term: contextTerm('LipschitzNet', this.contextLayer, context, samples),
      weights: this.layers.map((layer) => layer.effective()),
      betas: this.#betas.map((beta) => beta && softplus(beta)),
    };
  }

  #pass(x: Tensor, { term, weights, betas }: Operands, wantsSlopes: boolean) {
    const slopes: (Tensor | null)[] = [];
    let h = x;
    for (const [l, layer] of this.layers.entries()) {
      slopes.push(null);
      if (l > 0 || this.#preActivation) {
        const { y, slope } = activationSlope(h, this.activation, betas[l] ?? null);
        h = y;
        if (wantsSlopes) slopes[l] = slope;
      }
      h = layer.map(h, weights[l] as Tensor, layer.bias, l === 0 ? term : null);
    }
    return { out: h, slopes };
  }

  config(): Config {
    const { norm, ...options } = structuredClone(this.#options);
    return withoutUndefined({
      kind: 'lipschitzNet',
      ...options,
      norm: norm && { orders: encodeOrders(norm.orders) },
    }) as unknown as Config;
  }
}

interface Checked {
  readonly widths: readonly number[];
  readonly kernels: readonly number[];
  readonly coefficient: number;
  readonly iterations: number;
  readonly activation: unknown;
  readonly image: LipschitzNetOptions['image'];
}

function check({ widths, kernels, coefficient, iterations, activation, image }: Checked): void {
  const fail = (what: string, wanted: string, got: string, remedy: string) => {
    throw new FlowError('ARGUMENT', expected('LipschitzNet', what, wanted, got, remedy));
  };
  const whole = (n: number) => Number.isSafeInteger(n) && n >= 1;
  const odd = (n: number) => whole(n) && n % 2 === 1;
  if (!widths.every(whole))
    fail('widths', 'whole numbers ≥ 1', widths.join(', '), 'correct channels and hidden');
  if (image && !(whole(image.height) && whole(image.width)))
    fail('image', 'whole numbers ≥ 1', `${image.height} × ${image.width}`, 'correct the sides');
  if (
    kernels.length !== widths.length - 1 ||
    !kernels.every(odd) ||
    !(image || kernels.every((k) => k === 1))
  )
    fail(
      'kernels',
      image ? `${widths.length - 1} odd sides, one a layer` : 'none without an image',
      kernels.join(', '),
      'hidden layers and the last one have a kernel each',
    );
  if (!(coefficient > 0 && coefficient < 1))
    fail(
      'coefficient',
      'a number between 0 and 1',
      String(coefficient),
      'x + g(x) is invertible below 1 only',
    );
  if (!whole(iterations))
    fail('iterations', 'a whole number ≥ 1', String(iterations), 'correct it');
  if (!isSmoothActivation(activation))
    fail(
      'activation',
      'lipSwish, elu, tanh or softplus',
      String(activation),
      'pass one of these names',
    );
}

type Orders = InducedNorms['orders'];
/** JSON has no Infinity. */
type SavedOrders = 'learned' | number | 'Infinity' | (number | 'Infinity')[];

const encodeOrder = (p: number) => (p === Number.POSITIVE_INFINITY ? 'Infinity' : p);
const encodeOrders = (orders: Orders): SavedOrders =>
  orders === 'learned' || typeof orders === 'number'
    ? orders === 'learned'
      ? orders
      : encodeOrder(orders)
    : orders.map(encodeOrder);
const decodeOrders = (saved: SavedOrders): Orders => {
  if (saved === 'learned') return saved;
  return Array.isArray(saved) ? saved.map(Number) : Number(saved);
};

type Saved = Omit<LipschitzNetOptions, 'norm'> & { readonly norm?: { orders: SavedOrders } };

register<Saved & Config & { readonly kind: 'lipschitzNet' }>(
  'lipschitzNet',
  ({ norm, ...config }) =>
    new LipschitzNet(norm ? { ...config, norm: { orders: decodeOrders(norm.orders) } } : config),
);

/**
 * Layers whose norm is bounded: W·min(1, c/σ(W)), σ the largest singular value of the layer as an operator — of a convolution on
 * the whole image, zeros around it, not of its reshaped weight. Miyato et al. 2018, "Spectral Normalization"; Gouk et al. 2018;
 * Behrmann et al. 2019, "Invertible Residual Networks", section 2.1.
 *
 * With `orders` it is the norm from one vector norm to another: inducedNorm.ts.
 *
 * σ = uᵀWv with singular vectors u and v by power iteration. They are saved state: each step of a training goes on from
 * where the last one ended, and use without training is a function of the file. σ is differentiated with u and v held fixed.
 */
import { withoutTape } from '../autograd/tape';
import type { FloatDType } from '../dtype';
import {
  add,
  type ConvGeometry,
  conv2d,
  copyInto,
  div,
  greaterEqual,
  linear,
  matmul,
  maximum,
  mul,
  RandomStream,
  reshape,
  sqrt,
  square,
  sum,
  where,
} from '../ops';
import { conv2dOfGeometry } from '../ops/conv2d';
import { encodeGeometry } from '../ops/conv2dGeometry';
import { conv2dGradInput } from '../ops/conv2dGradInput';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import {
  closedNorm,
  conjugate,
  dualVector,
  isClosed,
  type LayerOrders,
  orElse,
  repetition,
  vectorNorm,
} from './inducedNorm';
import { uniformByFanIn } from './initialization';
import { type Config, type LayerOptions, Module, withoutUndefined } from './module';

export interface SpectralLayerOptions extends LayerOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Of a convolution; null: a linear map. */
  readonly geometry?: ConvGeometry | null;
  /** c: the norm is at most this. */
  readonly coefficient: number;
  /** Power iterations in each forward pass of a training. */
  readonly iterations: number;
  /** Of an induced norm; left out: the spectral one. */
  readonly orders?: LayerOrders | null;
}

/** When iterations no longer change the norm by more than this, or after so many, they end. */
const settled = 1e-5;
const mostIterations = 500;
/** Vectors from which an induced norm is sought anew at the end of a training: it may have several maxima. */
const starts = 3;

export class SpectralLayer extends Module {
  readonly options: SpectralLayerOptions;
  /** [outputs, inputs], or [outputs, kh·kw·inputs], columns in the order (ky, kx, channel). */
  readonly weight: Tensor;
  readonly bias: Tensor;
  /** Singular vectors: [positions, outputs] and [positions, inputs]. */
  readonly u: Tensor;
  readonly v: Tensor;

  constructor(options: SpectralLayerOptions, stream: RandomStream) {
    super();
    const { inputs, outputs, geometry = null, dtype = 'float32' } = options;
    this.options = options;
    const taps = geometry ? geometry.kernel[0] * geometry.kernel[1] : 1;
    const fanIn = taps * inputs;
    this.weight = this.parameter('weight', uniformByFanIn(stream, [outputs, fanIn], fanIn, dtype));
    this.bias = this.parameter('bias', uniformByFanIn(stream, [outputs], fanIn, dtype));
    // On one pixel a 1×1 convolution does what it does on all.
    const positions = taps > 1 && geometry ? geometry.height * geometry.width : 1;
    this.u = this.state('u', stream.normal([positions, outputs], dtype));
    this.v = this.state('v', stream.normal([positions, inputs], dtype));
    this.iterate();
  }

  /** The geometry of a convolution that moves pixels; null where the layer maps each row by itself. */
  get geometry(): ConvGeometry | null {
    const { geometry = null } = this.options;
    return geometry && geometry.kernel[0] * geometry.kernel[1] > 1 ? geometry : null;
  }

  /** rows [N·positions, inputs] → [.., outputs] by a weight of this layer's shape. */
  map(rows: Tensor, weight: Tensor, bias: Tensor | null = null, addend: Tensor | null = null) {
    const { geometry } = this;
    return geometry
      ? conv2d(rows, weight, bias, { ...geometry, addend })
      : linear(rows, weight, bias, { addend });
  }

  /** The transpose of {@link map} without bias: [.., outputs] → [.., inputs]. */
  transposed(rows: Tensor, weight: Tensor): Tensor {
    const { geometry } = this;
    return geometry
      ? conv2dGradInput(rows, weight, encodeGeometry('SpectralLayer', geometry))
      : matmul(rows, weight);
  }

  /** `count` power iterations; nothing is read, so that they can be recorded. */
  iterate(count = 1): void {
    withoutTape(() =>
      scope(() => {
        const { orders } = this.options;
        if (orders && isClosed(orders)) return;
        for (let k = 0; k < count; k++) {
          const back = this.transposed(this.u, this.weight);
          if (orders) copyInto(this.v, orElse(dualVector(back, conjugate(orders.domain)), this.v));
          else normalizeInto(this.v, back);
          const there = this.#apply(this.v);
          if (orders) copyInto(this.u, orElse(dualVector(there, orders.codomain), this.u));
          else normalizeInto(this.u, there);
        }
      }),
    );
  }

  /** Iterates until the norm stays; an induced one from `anew` other vectors too. Reads numbers: not while a program is recorded. */
  converge(anew = starts): void {
    const { orders } = this.options;
    if (orders && isClosed(orders)) return;
    const own = this.#climb();
    if (!orders || anew === 0) return;
    const stream = new RandomStream(1);
    scope(() => {
      let best = own;
      let kept = { u: add(this.u, 0), v: add(this.v, 0) };
      for (let start = 0; start < anew; start++) {
        copyInto(this.u, stream.normal(this.u.shape, this.u.dtype as FloatDType));
        const found = this.#climb();
        if (found > best * (1 + settled)) {
          best = found;
          kept = { u: add(this.u, 0), v: add(this.v, 0) };
        }
      }
      copyInto(this.u, kept.u);
      copyInto(this.v, kept.v);
    });
    stream.dispose();
  }

  #climb(): number {
    let before = 0;
    for (let k = 0; k < mostIterations; k++) {
      this.iterate();
      const now = withoutTape(() => scope(() => this.norm().item()));
      // NaN ends it too: weights that are no numbers have no norm.
      if (!(Math.abs(now - before) > settled * now)) return now;
      before = now;
    }
    return before;
  }

  /** σ as []; differentiable by the weight, and by learned orders. */
  norm(): Tensor {
    const { orders, inputs, geometry = null } = this.options;
    if (!orders) return sum(mul(this.#apply(this.v), this.u));
    if (isClosed(orders)) return reshape(closedNorm(this.weight, inputs, orders), []);
    // At the maximum the direction of v is stationary: what moves is the ratio, for a v that is held fixed.
    const stretch = div(
      vectorNorm(this.#apply(this.v), orders.codomain),
      vectorNorm(this.v, orders.domain),
    );
    const alike = geometry && !this.geometry ? geometry.height * geometry.width : 1;
    return reshape(mul(stretch, repetition(orders, alike)), []);
  }

  /** W·min(1, c/σ). */
  effective(): Tensor {
    const { coefficient } = this.options;
    return scope(() => mul(this.weight, div(coefficient, maximum(coefficient, this.norm()))));
  }

  #apply(v: Tensor): Tensor {
    const { geometry } = this;
    return geometry
      ? conv2dOfGeometry(v, this.weight, encodeGeometry('SpectralLayer', geometry))
      : linear(v, this.weight, null);
  }

  /** Outside of training the bound must hold: at its end the norm is iterated to its end. What is in use already stays as it is. */
  override train(on = true): this {
    if (!on && this.training) this.converge();
    return super.train(on);
  }

  config(): Config {
    const { orders: _orders, ...options } = this.options;
    return withoutUndefined({ kind: 'spectralLayer', ...options }) as unknown as Config;
  }
}

/** target ← x/‖x‖; stays as it is where x = 0. */
function normalizeInto(target: Tensor, x: Tensor): void {
  const flat = reshape(x, [1, x.size]);
  const norm = sum(square(flat));
  const nothing = reshape(target, [1, x.size]);
  const unit = where(greaterEqual(norm, 1e-30), div(flat, sqrt(norm)), nothing);
  copyInto(target, reshape(unit, target.shape));
}

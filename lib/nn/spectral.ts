/**
 * Layers whose norm is bounded: W·min(1, c/σ(W)), σ the largest singular value of the layer as an operator — of a convolution on
 * the whole image, zeros around it, not of its reshaped weight. Miyato et al. 2018, "Spectral Normalization"; Gouk et al. 2018;
 * Behrmann et al. 2019, "Invertible Residual Networks", section 2.1.
 *
 * σ = uᵀWv with singular vectors u and v by power iteration. They are saved state: each step of a training goes on from
 * where the last one ended, and use without training is a function of the file. σ is differentiated with u and v held fixed.
 */
import { withoutTape } from '../autograd/tape';
import {
  type ConvGeometry,
  conv2d,
  copyInto,
  div,
  greaterEqual,
  linear,
  matmul,
  maximum,
  mul,
  type RandomStream,
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
}

/** When iterations no longer change the norm by more than this, or after so many, they end. */
const settled = 1e-5;
const mostIterations = 500;

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
        for (let k = 0; k < count; k++) {
          normalizeInto(this.v, this.transposed(this.u, this.weight));
          normalizeInto(this.u, this.#apply(this.v));
        }
      }),
    );
  }

  /** Iterates until the norm stays. Reads numbers: not while a program is recorded. */
  converge(): void {
    let before = 0;
    for (let k = 0; k < mostIterations; k++) {
      this.iterate();
      const now = withoutTape(() => scope(() => this.norm().item()));
      // NaN ends it too: weights that are no numbers have no norm.
      if (!(Math.abs(now - before) > settled * now)) return;
      before = now;
    }
  }

  /** σ as []; differentiable by the weight. */
  norm(): Tensor {
    return sum(mul(this.#apply(this.v), this.u));
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
    return withoutUndefined({ kind: 'spectralLayer', ...this.options }) as unknown as Config;
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

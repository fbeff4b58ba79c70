/**
 * Planar flows: space is stretched along one direction, by how far a point is from a plane. Rezende, Mohamed 2015,
 * "Variational Inference with Normalizing Flows", section 4.1 and appendix A.1.
 */
import { expected, FlowError } from '../errors';
import type { Config } from '../nn/module';
import {
  type AmortizationOptions,
  amortizationConfig,
  amortizationRules,
  normalNumbers,
  ParameterNet,
} from '../nn/parameterNet';
import { register } from '../nn/registry';
import {
  add,
  affineScalar,
  columns,
  concatColumns,
  div,
  full,
  greaterEqual,
  leakyRelu,
  log,
  mul,
  reshape,
  softplus,
  square,
  sub,
  sum,
  sylvesterMapInverse,
  tanh,
  where,
} from '../ops';
import { checkOptions, count, finite, picked, type Rules, required, word } from '../options';
import { requireSize } from '../shape';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';

export interface PlanarOptions extends AmortizationOptions {
  /** D. */
  readonly features: number;
  /** h: tanh (default), or a leaky ReLU, whose inverse has a closed form. */
  readonly transfer?: 'tanh' | 'leakyRelu';
  /** Of the leaky ReLU, from 0 to 1; default 0.2. */
  readonly slope?: number;
}

export const planarRules: Rules<PlanarOptions> = {
  ...amortizationRules,
  features: required(count),
  transfer: word('tanh', 'leakyRelu'),
  slope: finite,
};

/**
 * y = x + û·h(wᵀx + b), with û = u + (m(wᵀu) − wᵀu)·w/‖w‖², m(a) = softplus(a) − 1, so that wᵀû > −1 and the map is
 * invertible. logDet = log(1 + h'·wᵀû), of sums without cancellation. Starts as the identity.
 *
 * The inverse of tanh is one equation a + wᵀû·tanh(a) = wᵀy + b a sample, by Newton's steps inside of a bracket; that of the
 * leaky ReLU is closed. With a context every sample has its own u, w and b.
 */
export class Planar extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  override readonly fastDirection: 'both' | 'forward';
  readonly transfer: 'tanh' | 'leakyRelu';
  readonly slope: number;
  /** Of u [D], w [D], b [1]. */
  readonly parameterNet: ParameterNet;

  constructor(options: PlanarOptions) {
    super();
    checkOptions('Planar', options, planarRules);
    const { features, transfer = 'tanh', slope = 0.2, seed = 0 } = options;
    requireSize('Planar', 'features', features);
    if (transfer !== 'tanh' && !(transfer === 'leakyRelu' && slope > 0 && slope <= 1)) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'Planar',
          'transfer',
          'tanh, or leakyRelu with a slope in (0, 1]',
          `${transfer} with slope ${slope}`,
          'other functions make no bijection',
        ),
      );
    }
    this.features = features;
    this.transfer = transfer;
    this.slope = slope;
    this.fastDirection = transfer === 'tanh' ? 'forward' : 'both';
    // m(wᵀu) = 0 where wᵀu = log(e − 1): û = u then, and u − w·(wᵀu)/‖w‖² = 0 for u along w.
    const w = normalNumbers(features, seed, 1 / Math.sqrt(features));
    const squared = w.reduce((total, value) => total + value * value, 0);
    const u = w.map((value) => (Math.log(Math.E - 1) / squared) * value);
    this.parameterNet = this.child(
      'parameters',
      new ParameterNet(Float64Array.of(...u, ...w, 0), picked(options, amortizationRules)),
    );
    this.contextFeatures = this.parameterNet.contextFeatures;
  }

  /** û, w: one row or [N, D]; b and wᵀû = softplus(wᵀu) − 1 with that softplus: one number or [N, 1]. */
  #parameters(context: Tensor | null) {
    const D = this.features;
    const all = this.parameterNet.apply(context);
    const u = columns(all, 0, D);
    const w = columns(all, D, 2 * D);
    const dot = (a: Tensor, b: Tensor) => reshape(sum(mul(a, b), -1), [all.rows, 1]);
    const wu = dot(w, u);
    const opened = softplus(wu);
    const m = affineScalar(opened, 1, -1);
    const uHat = add(u, mul(w, div(sub(m, wu), dot(w, w))));
    return { uHat, w, b: columns(all, 2 * D, 2 * D + 1), m, opened };
  }

  /** wᵀz + b, [N, 1]. */
  #distance(z: Tensor, w: Tensor, b: Tensor): Tensor {
    return add(reshape(sum(mul(z, w), -1), [z.rows, 1]), b);
  }

  /** log(1 + h'·m): with m = opened − 1 it is log((1 − h') + h'·opened), sums of positive terms. */
  #logDet(a: Tensor, h: Tensor, opened: Tensor): Tensor {
    const slope = this.transfer === 'tanh' ? affineScalar(square(h), -1, 1) : this.#leakySlope(a);
    const flat = this.transfer === 'tanh' ? square(h) : affineScalar(slope, -1, 1);
    return sum(log(add(flat, mul(slope, opened))), -1, { dtype: 'float64' });
  }

  /** 1 where a ≥ 0, else the slope. */
  #leakySlope(a: Tensor): Tensor {
    const number = (value: number) => full([], value, a.dtype);
    return where(greaterEqual(a, 0), number(1), number(this.slope));
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    return scope(() => {
      const { uHat, w, b, opened } = this.#parameters(context);
      const a = this.#distance(x, w, b);
      const h = this.transfer === 'tanh' ? tanh(a) : leakyRelu(a, this.slope);
      return { y: add(x, mul(h, uHat)), logDet: this.#logDet(a, h, opened) };
    });
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    return scope(() => {
      const { uHat, w, b, m, opened } = this.#parameters(context);
      const c = this.#distance(y, w, b);
      if (this.transfer === 'leakyRelu') {
        // a + m·h(a) = c: a has the sign of c.
        const slope = this.#leakySlope(c);
        const a = div(c, add(affineScalar(slope, -1, 1), mul(slope, opened)));
        const h = leakyRelu(a, this.slope);
        const logDet = affineScalar(this.#logDet(a, h, opened), -1);
        return { x: sub(y, mul(h, uHat)), logDet };
      }
      // The Sylvester map of one direction, F = 0, r = m, s = 1, b = 0.
      const like = (value: number) => full([m.rows, 1], value, m.dtype);
      const { v: a, solve } = sylvesterMapInverse(c, concatColumns([like(0), m, like(1), like(0)]));
      const h = tanh(a);
      const logDet = affineScalar(this.#logDet(a, h, opened), -1);
      return { x: sub(y, mul(h, uHat)), logDet, solve };
    });
  }

  config(): Config {
    const { features, transfer, slope } = this;
    const amortization = amortizationConfig(this.parameterNet.options);
    return { kind: 'planar', features, transfer, slope, ...amortization };
  }
}

register<PlanarOptions & Config & { kind: 'planar' }>('planar', (config) => new Planar(config));

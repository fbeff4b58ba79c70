/**
 * Radial flows: space is drawn to a point or pushed away from it. Rezende, Mohamed 2015, "Variational Inference with
 * Normalizing Flows", section 4.1 and appendix A.2; the inverse is closed.
 */
import type { FloatDType } from '../dtype';
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
  div,
  greaterEqual,
  log,
  mul,
  reshape,
  softplus,
  sqrt,
  square,
  sub,
  sum,
  where,
} from '../ops';
import { checkOptions, count, picked, type Rules, required } from '../options';
import { requireSize } from '../shape';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';

export interface RadialOptions extends AmortizationOptions {
  /** D. */
  readonly features: number;
}

/** So small that it changes no length but 0, whose gradient it keeps finite. */
const tiny: Record<FloatDType, number> = { float32: 1e-37, float64: 1e-300 };

export const radialRules: Rules<RadialOptions> = {
  ...amortizationRules,
  features: required(count),
};

/**
 * y = x + β·(x − x₀)/(α + r), r = ‖x − x₀‖, with α = softplus(a) > 0 and β = softplus(b) − α > −α, so that the map is
 * invertible. logDet = (D − 1)·log((r + γ)/(α + r)) + log((r² + 2αr + αγ)/(α + r)²), γ = α + β = softplus(b): sums of
 * positive terms only. The inverse has a closed form: r is the positive root of r² + (γ − ‖y − x₀‖)·r − α‖y − x₀‖. Starts as
 * the identity. With a context every sample has its own x₀, α and β.
 */
export class Radial extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  /** Of x₀ [D], a, b. */
  readonly parameterNet: ParameterNet;

  constructor(options: RadialOptions) {
    super();
    checkOptions('Radial', options, radialRules);
    const { features, seed = 0 } = options;
    requireSize('Radial', 'features', features);
    this.features = features;
    const centre = normalNumbers(features, seed, 0.1);
    this.parameterNet = this.child(
      'parameters',
      new ParameterNet(Float64Array.of(...centre, 0.5, 0.5), picked(options, amortizationRules)),
    );
    this.contextFeatures = this.parameterNet.contextFeatures;
  }

  /** x₀: one row or [N, D]; α and γ: one number or [N, 1]. */
  #parameters(context: Tensor | null) {
    const D = this.features;
    const all = this.parameterNet.apply(context);
    const positive = (k: number) => softplus(columns(all, D + k, D + k + 1));
    return { centre: columns(all, 0, D), alpha: positive(0), gamma: positive(1) };
  }

  /** ‖δ‖ of each row, [N, 1]; its gradient at 0 is 0. */
  #length(delta: Tensor): Tensor {
    const squared = reshape(sum(square(delta), -1), [delta.rows, 1]);
    return sqrt(affineScalar(squared, 1, tiny[this.parameterNet.dtype]));
  }

  #logDet(r: Tensor, alpha: Tensor, gamma: Tensor): Tensor {
    const far = add(r, alpha);
    const across = log(div(add(r, gamma), far));
    // r² + 2αr + αγ = r·(r + α) + α·(r + γ)
    const inside = add(mul(r, far), mul(alpha, add(r, gamma)));
    const along = log(div(div(inside, far), far));
    return sum(add(affineScalar(across, this.features - 1), along), -1, { dtype: 'float64' });
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    return scope(() => {
      const { centre, alpha, gamma } = this.#parameters(context);
      const delta = sub(x, centre);
      const r = this.#length(delta);
      const y = add(x, mul(delta, div(sub(gamma, alpha), add(r, alpha))));
      return { y, logDet: this.#logDet(r, alpha, gamma) };
    });
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    return scope(() => {
      const { centre, alpha, gamma } = this.#parameters(context);
      const delta = sub(y, centre);
      const length = this.#length(delta);
      // r = (q + √(q² + 4p))/2 = 2p/(√(q² + 4p) − q), p = α‖y − x₀‖, q = ‖y − x₀‖ − γ: the form without a difference.
      const p = mul(length, alpha);
      const q = sub(length, gamma);
      const root = sqrt(add(square(q), affineScalar(p, 4)));
      const isOutside = greaterEqual(q, 0);
      const magnitude = add(root, where(isOutside, q, affineScalar(q, -1)));
      const r = where(isOutside, affineScalar(magnitude, 0.5), div(affineScalar(p, 2), magnitude));
      // x − x₀ = (y − x₀)·(α + r)/(γ + r)
      const x = sub(y, mul(delta, div(sub(gamma, alpha), add(r, gamma))));
      return { x, logDet: affineScalar(this.#logDet(r, alpha, gamma), -1) };
    });
  }

  config(): Config {
    const amortization = amortizationConfig(this.parameterNet.options);
    return { kind: 'radial', features: this.features, ...amortization };
  }
}

register<RadialOptions & Config & { kind: 'radial' }>('radial', (config) => new Radial(config));

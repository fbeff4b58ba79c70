/**
 * The masked autoregressive affine map (MAF): y_i = (x_i − μ_i(x_<i)) · exp(−a_i(x_<i)).
 * Papamakarios, Pavlakou, Murray 2017, "Masked Autoregressive Flow for Density Estimation", eqs. 3–6. With the scale map
 * `gate` it is the step of an inverse autoregressive flow, y = s·x + (1 − s)·m: Kingma et al. 2016, eq. 14.
 */
import type { FloatDType } from '../dtype';
import { Made, type MadeOptions, madeRules } from '../nn/made';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import {
  type AutoregressiveScale,
  autoregressiveAffine,
  gatherColumns,
  logScaleOf,
  madeInverse,
  neg,
} from '../ops';
import { checkOptions, object, picked, type Rules } from '../options';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';

export interface MaskedAutoregressiveOptions extends Omit<MadeOptions, 'outputsPerFeature'> {
  /** How the network's raw output becomes the log-scale a; default softClamp with bound 5; see AutoregressiveScale. */
  readonly scale?: AutoregressiveScale;
}

const { outputsPerFeature: _outputs, ...networkRules } = madeRules;

const maskedAutoregressiveRules: Rules<MaskedAutoregressiveOptions> = {
  ...networkRules,
  scale: object,
};

/** Forward is one pass. The inverse computes each hidden unit once, in the order of the degrees: about one pass too. */
export class MaskedAutoregressive extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  override readonly fastDirection = 'forward';
  readonly made: Made;
  readonly scale: AutoregressiveScale;
  /** Columns of the raw log-scales in what the network makes. */
  readonly #raw: Tensor;

  constructor(options: MaskedAutoregressiveOptions) {
    super();
    checkOptions('MaskedAutoregressive', options, maskedAutoregressiveRules);
    this.features = options.features;
    this.contextFeatures = options.contextFeatures ?? 0;
    this.scale = options.scale ?? { kind: 'softClamp', bound: 5 };
    this.made = this.child(
      'made',
      new Made({ ...picked(options, networkRules), outputsPerFeature: 2 }),
    );
    const raw = Int32Array.from({ length: this.features }, (_, i) => 2 * i + 1);
    this.#raw = this.own(tensorOfArray(raw, [raw.length]));
  }

  get dtype(): FloatDType {
    return this.made.dtype;
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    return scope(() => {
      const { order } = this.made;
      const ordered = order.toOrder(x);
      const params = this.made.applyInOrder(ordered, context);
      const { y, logDet } = autoregressiveAffine(ordered, params, { scale: this.scale });
      return { y: order.fromOrder(y), logDet };
    });
  }

  /** As forward, with the log-determinant as its summands: [N, D] of x's type, in the order of the features. */
  forwardByFeature(x: Tensor, context: Tensor | null): { y: Tensor; logDets: Tensor } {
    return scope(() => {
      const { order } = this.made;
      const ordered = order.toOrder(x);
      const params = this.made.applyInOrder(ordered, context);
      const { y } = autoregressiveAffine(ordered, params, { scale: this.scale });
      const logDets = neg(logScaleOf(gatherColumns(params, this.#raw), this.scale));
      return { y: order.fromOrder(y), logDets: order.fromOrder(logDets) };
    });
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    return scope(() => {
      const { order } = this.made;
      const addend = this.made.contextTerm(context, y.rows);
      const { x, logDet } = madeInverse(order.toOrder(y), this.made, addend, { scale: this.scale });
      return { x: order.fromOrder(x), logDet };
    });
  }

  config(): Config {
    const { kind: _kind, outputsPerFeature: _outputs, ...made } = this.made.config();
    return { ...made, kind: 'maskedAutoregressive', scale: { ...this.scale } };
  }
}

register<MaskedAutoregressiveOptions & Config & { kind: 'maskedAutoregressive' }>(
  'maskedAutoregressive',
  (config) => new MaskedAutoregressive(config),
);

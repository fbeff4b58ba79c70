/** The transformers of neural autoregressive, sum-of-squares and Bernstein flows: fused kernels, inverse by root finding. */
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import {
  type MadeNetwork,
  type MonotoneFamily,
  type MonotoneRoots,
  madeMonotoneInverse,
  monotone,
  monotoneInverse,
  monotoneParams,
} from '../ops';
import type { Tensor } from '../tensor/tensor';
import type { Forward, Inverse } from './bijection';
import { Transformer } from './transformer';

const reported = ({ x, logDet, ...solve }: MonotoneRoots): Inverse => ({ x, logDet, solve });

/** `least` apart from 0: the raw value of which softplus is `value`. */
const inverseSoftplus = (value: number) => Math.log(Math.expm1(value));

/** A {@link MonotoneFamily} as a transformer: DSF, DDSF, sums of squares, Bernstein polynomials, mixtures of logistics. */
export class MonotoneTransformer extends Transformer {
  override readonly paramsPerFeature: number;

  constructor(readonly family: MonotoneFamily) {
    super();
    this.paramsPerFeature = monotoneParams(family);
  }

  override forward(x: Tensor, params: Tensor): Forward {
    return monotone(x, params, this.family);
  }

  override inverse(y: Tensor, params: Tensor): Inverse {
    return reported(monotoneInverse(y, params, this.family));
  }

  override inverseOfMade(y: Tensor, made: MadeNetwork, addend: Tensor | null): Inverse | null {
    // On a GPU the roots of a dimension are an op of their own: a pass of the network a dimension.
    if (y.device === 'cuda') return null;
    return reported(madeMonotoneInverse(y, made, addend, this.family));
  }

  /**
   * Polynomials: zero, the identity. Sigmoids: slope 1, shifts spread over ±2, equal weights: a slope a little below 1 in
   * the middle, no two sigmoids alike; logistics of scale 1 likewise.
   */
  override startingParams(): readonly number[] {
    const { family } = this;
    if (family.kind === 'bernstein') return super.startingParams();
    if (family.kind === 'sumOfSquares') {
      // Polynomials that are alike learn the same: their linear coefficients start a little apart, with mean 0.
      const { squares, degree } = family;
      const tilt = (k: number) => 0.02 * (k - (squares - 1) / 2);
      const each = (k: number) =>
        Array.from({ length: degree + 1 }, (_, l) => (l === 1 ? tilt(k) : 0));
      return [0, ...Array.from({ length: squares }, (_, k) => each(k)).flat()];
    }
    if (family.kind === 'logisticMixture') {
      const { components } = family;
      const spread = (k: number) => (components === 1 ? 0 : (4 * k) / (components - 1) - 2);
      const each = (value: (k: number) => number) =>
        Array.from({ length: components }, (_, k) => value(k));
      return [0, 0, ...each(() => 0), ...each(spread), ...each(() => 0)];
    }
    const { hidden, layers = 1, leastSlope = 1e-3 } = family;
    const shift = (k: number) => (hidden === 1 ? 0 : 2 - (4 * k) / (hidden - 1));
    const params: number[] = [];
    for (let l = 0; l < layers; l++) {
      const outputs = l === layers - 1 ? 1 : hidden;
      for (let k = 0; k < hidden; k++) params.push(inverseSoftplus(Math.max(1 - leastSlope, 1e-3)));
      for (let k = 0; k < hidden; k++) params.push(shift(k));
      for (let k = 0; k < outputs * hidden; k++) params.push(outputs > 1 ? 0.5 * Math.sin(k) : 0);
      if (l > 0) for (let k = 0; k < hidden * hidden; k++) params.push(0.5 * Math.cos(k));
    }
    return params;
  }

  config(): Config {
    const { family } = this;
    // JSON has no Infinity.
    const endless = 'bound' in family && family.bound === Infinity;
    const saved = endless ? { ...family, bound: 'Infinity' } : { ...family };
    return { kind: 'monotoneTransformer', family: saved };
  }
}

register<Config & { kind: 'monotoneTransformer'; family: MonotoneFamily & Config }>(
  'monotoneTransformer',
  ({ family }) => {
    const endless = 'bound' in family && (family.bound as unknown) === 'Infinity';
    return new MonotoneTransformer(endless ? { ...family, bound: Infinity } : family);
  },
);

/** Permutations of the features: log-det 0. */
import { expected, FlowError } from '../errors';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import { full, gatherColumns, RandomStream } from '../ops';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';

/** y[:, k] = x[:, order[k]]. */
export class Permutation extends Bijection {
  override readonly features: number;
  readonly order: readonly number[];
  readonly #forwardIndices: Tensor;
  readonly #inverseIndices: Tensor;

  /** @param order each of 0 … D − 1 once */
  constructor(order: readonly number[]) {
    super();
    const features = order.length;
    const forward = Int32Array.from(order);
    const inverse = new Int32Array(features).fill(-1);
    for (const [k, from] of order.entries()) {
      if (!Number.isInteger(from) || from < 0 || from >= features || inverse[from] !== -1) {
        throw new FlowError(
          'ARGUMENT',
          expected(
            'Permutation',
            'order',
            `each of 0 … ${features - 1} once`,
            `${from} at position ${k}`,
            'pass a permutation',
          ),
        );
      }
      inverse[from] = k;
    }
    this.features = features;
    this.order = [...order];
    this.#forwardIndices = this.own(tensorOfArray(forward, [features]));
    this.#inverseIndices = this.own(tensorOfArray(inverse, [features]));
  }

  static reverse(features: number): Permutation {
    return new Permutation(Array.from({ length: features }, (_, k) => features - 1 - k));
  }

  static random(features: number, seed: number): Permutation {
    const stream = new RandomStream(seed);
    const order = [...stream.permutation(features)];
    stream.dispose();
    return new Permutation(order);
  }

  protected override mapForward(x: Tensor): Forward {
    return { y: gatherColumns(x, this.#forwardIndices), logDet: full([x.rows], 0, 'float64') };
  }

  protected override mapInverse(y: Tensor): Inverse {
    return { x: gatherColumns(y, this.#inverseIndices), logDet: full([y.rows], 0, 'float64') };
  }

  config(): Config {
    return { kind: 'permutation', order: this.order };
  }
}

register<{ kind: 'permutation'; order: readonly number[] }>(
  'permutation',
  (config) => new Permutation(config.order),
);

/** Permutations of the features, or of the channels of an image: log-det 0. */
import { expected, FlowError } from '../errors';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import { permuteColumns, RandomStream, reshape } from '../ops';
import { checkArgument, checkOptions, count, list, seed as seedRule } from '../options';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Bijection, type ForwardPart, type InversePart } from './bijection';
import { requirePositions } from './positions';

/** y[:, k] = x[:, order[k]], at every position of an image alike. */
export class Permutation extends Bijection {
  override readonly features: number;
  /** Positions of a sample, whose channels are permuted alike; 1 for a table. */
  readonly positions: number;
  readonly order: readonly number[];
  readonly #forwardIndices: Tensor;
  readonly #inverseIndices: Tensor;

  /** @param order each of 0 … C − 1 once; D = positions·C */
  constructor(order: readonly number[], options: { readonly positions?: number } = {}) {
    super();
    checkArgument('Permutation', 'order', order, list);
    checkOptions('Permutation', options, { positions: count });
    const { positions = 1 } = options;
    const channels = order.length;
    requirePositions('Permutation', positions);
    const forward = Int32Array.from(order);
    const inverse = new Int32Array(channels).fill(-1);
    for (const [k, from] of order.entries()) {
      if (!Number.isInteger(from) || from < 0 || from >= channels || inverse[from] !== -1) {
        throw new FlowError(
          'ARGUMENT',
          expected(
            'Permutation',
            'order',
            `each of 0 … ${channels - 1} once`,
            `${from} at position ${k}`,
            'pass a permutation',
          ),
        );
      }
      inverse[from] = k;
    }
    this.features = positions * channels;
    this.positions = positions;
    this.order = [...order];
    this.#forwardIndices = this.own(tensorOfArray(forward, [channels]));
    this.#inverseIndices = this.own(tensorOfArray(inverse, [channels]));
  }

  static reverse(channels: number, positions = 1): Permutation {
    checkArgument('Permutation.reverse', 'channels', channels, count);
    const order = Array.from({ length: channels }, (_, k) => channels - 1 - k);
    return new Permutation(order, { positions });
  }

  static random(channels: number, seed: number, positions = 1): Permutation {
    checkArgument('Permutation.random', 'channels', channels, count);
    checkArgument('Permutation.random', 'seed', seed, seedRule);
    checkArgument('Permutation.random', 'positions', positions, count);
    const stream = new RandomStream(seed);
    const order = [...stream.permutation(channels)];
    stream.dispose();
    return new Permutation(order, { positions });
  }

  protected override mapForward(x: Tensor): ForwardPart {
    return { y: this.#permute(x, this.#forwardIndices, this.#inverseIndices), logDet: null };
  }

  protected override mapInverse(y: Tensor): InversePart {
    return { x: this.#permute(y, this.#inverseIndices, this.#forwardIndices), logDet: null };
  }

  #permute(x: Tensor, order: Tensor, inverse: Tensor): Tensor {
    if (this.positions === 1) return permuteColumns(x, order, inverse);
    return scope(() => {
      const pixels = reshape(x, [x.rows * this.positions, this.order.length]);
      return reshape(permuteColumns(pixels, order, inverse), x.shape);
    });
  }

  config(): Config {
    const { order, positions } = this;
    return { kind: 'permutation', order, ...(positions > 1 && { positions }) };
  }
}

register<{ kind: 'permutation'; order: readonly number[]; positions?: number }>(
  'permutation',
  ({ order, positions = 1 }) => new Permutation(order, { positions }),
);

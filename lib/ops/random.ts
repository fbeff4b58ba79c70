/** Random numbers from a counter-based generator: reproducible on every backend, savable, recordable in programs. */
import { checkDType, type FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { checkArgument, countOrNone, rule } from '../options';
import { checkShape, type Shape } from '../shape';
import { execute } from '../tensor/execute';
import { keep, scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { requireFloat } from './check';
import { contiguous } from './reshape';

const seedRule = rule(
  'a whole number, or the Int32Array of a state',
  (value) => typeof value === 'number' || typeof value === 'bigint' || value instanceof Int32Array,
  'pass for instance 1',
);

function seedOf(seed: number | bigint): bigint {
  if (typeof seed === 'number' && !Number.isSafeInteger(seed)) {
    throw new FlowError(
      'ARGUMENT',
      expected('RandomStream', 'seed', 'a whole number', String(seed), 'pass an integer or bigint'),
    );
  }
  return BigInt.asUintN(64, BigInt(seed));
}

/**
 * A stream of random numbers (Philox4x32-10; native/math/philox.h). The numbers of a call are a function of the seed, of
 * how many calls came before and of the position alone.
 *
 * The state is a tensor that each call advances in place, so a recorded program goes on with new numbers each run, and
 * saving the state saves the stream. The tensor belongs to the stream: dispose the stream when it is no longer used.
 */
export class RandomStream {
  /** int32 [4]: seed low and high word, calls low and high word. */
  readonly state: Tensor;

  /** @param seed a whole number (64 bits of it count), or the state of another stream, copied: Int32Array(4) */
  constructor(seed: number | bigint | Int32Array) {
    checkArgument('RandomStream', 'seed', seed, seedRule);
    let words: Int32Array;
    if (seed instanceof Int32Array) {
      if (seed.length !== 4) {
        throw new FlowError(
          'SHAPE',
          expected(
            'RandomStream',
            'state',
            '4 words',
            String(seed.length),
            'pass state.dataSync()',
          ),
        );
      }
      words = seed;
    } else {
      const bits = seedOf(seed);
      const word = (value: bigint) => Number(BigInt.asIntN(32, value));
      words = Int32Array.of(word(bits), word(bits >> 32n), 0, 0);
    }
    this.state = keep(tensorOfArray(words, [4]));
  }

  /** Standard normal numbers. */
  normal(shape: Shape, dtype: FloatDType = 'float32'): Tensor {
    return this.#draw('random_normal', shape, dtype);
  }

  /** Uniform in [0, 1): 24 random bits in float32, 53 in float64. */
  uniform(shape: Shape, dtype: FloatDType = 'float32'): Tensor {
    return this.#draw('random_uniform', shape, dtype);
  }

  #draw(op: string, shape: Shape, dtype: FloatDType): Tensor {
    checkShape('random', shape);
    checkDType('random', dtype);
    return execute(op, [], [{ shape, dtype }, this.state])[0] as Tensor;
  }

  /** n numbers uniform in [0, 1) with 53 random bits, as a plain array. */
  uniformArray(n: number): Float64Array {
    checkArgument('RandomStream.uniformArray', 'n', n, countOrNone);
    return scope(() => this.uniform([n], 'float64').dataSync()) as Float64Array;
  }

  /**
   * 1 with probability p, else 0.
   *
   * @param p float32 or float64, any shape
   * @returns the type and shape of p; not differentiable
   */
  bernoulli(p: Tensor): Tensor {
    requireFloat('bernoulli', 'p', p);
    const spec = { shape: p.shape, dtype: p.dtype };
    return execute('random_bernoulli', [contiguous(p)], [spec, this.state])[0] as Tensor;
  }

  /** The numbers 0 … n − 1 in random order (Fisher and Yates), as a plain array. */
  permutation(n: number): Int32Array {
    checkArgument('RandomStream.permutation', 'n', n, countOrNone);
    const order = Int32Array.from({ length: n }, (_, i) => i);
    const u = this.uniformArray(n);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor((u[i] as number) * (i + 1));
      const value = order[i] as number;
      order[i] = order[j] as number;
      order[j] = value;
    }
    return order;
  }

  /** A new stream whose seed is drawn from this one: independent, and reproducible. */
  split(): RandomStream {
    const [high, low] = Array.from(this.uniformArray(2), (u) => BigInt(Math.floor(u * 2 ** 32)));
    return new RandomStream(((high as bigint) << 32n) | (low as bigint));
  }

  dispose(): void {
    this.state.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * The exponential moving average of the parameters (Polyak, Juditsky 1992), which scores better than the last step's.
 * The decay rises with the steps, min(decay, (1 + t)/(10 + t)), so that the average is not bound to the random start.
 */
import { ema } from '../ops';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import type { Parameter } from './parameters';
import { Snapshot } from './snapshot';

const groupSize = 2000;

export class MovingAverage {
  readonly #values: readonly Tensor[];
  readonly #average: Snapshot;
  readonly #shadows: readonly Tensor[];
  readonly #own: Snapshot;
  readonly #rate: Tensor;
  #current = Number.NaN;

  constructor(
    parameters: readonly Parameter[],
    readonly decay: number,
  ) {
    const named = new Map(parameters.map(({ name, tensor }) => [name, tensor]));
    this.#values = [...named.values()];
    this.#average = new Snapshot(named);
    this.#own = new Snapshot(named);
    this.#shadows = [...this.#average.copies.values()];
    this.#rate = tensorOfArray(Float64Array.of(decay), [1]);
  }

  /** The averages by the names of the parameters: what a checkpoint saves. */
  get state(): Map<string, Tensor> {
    return this.#average.copies;
  }

  /** Starts again from the parameters as they are. */
  restart(): void {
    this.#average.capture();
  }

  /** Before step t (counted from 0). */
  prepare(step: number): void {
    const decay = Math.min(this.decay, (1 + step) / (10 + step));
    if (decay === this.#current) return;
    this.#current = decay;
    this.#rate.write(Float64Array.of(decay));
  }

  /** Follows the parameters, unless `skip` says that they were not changed. Instructions only: may be part of a program. */
  update(skip: Tensor | null = null): void {
    for (let first = 0; first < this.#values.length; first += groupSize) {
      const end = first + groupSize;
      const values = this.#values.slice(first, end);
      ema(this.#rate, values, this.#shadows.slice(first, end), skip);
    }
  }

  /** Puts the averages into the model; `leave` brings its own parameters back. */
  enter(): void {
    this.#own.capture();
    this.#average.restore();
  }

  leave(): void {
    this.#own.restore();
  }

  dispose(): void {
    this.#average.dispose();
    this.#own.dispose();
    this.#rate.dispose();
  }
}

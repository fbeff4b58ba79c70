/** How a training keeps its activations, and the guard over what it rebuilds. */
import { type ActivationMemory, Activations, withActivations } from '../bijections/activations';
import type { Warn } from '../errors';
import { affineScalar, concatRows, max, reshape, sqrt } from '../ops';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';

/** Relative error of a rebuilt input above which the inverse is not trusted. */
export const defaultDriftTolerance = 1e-3;

export class MemoryPlan {
  #memory: ActivationMemory;
  #drift = 0;
  readonly #tolerance: number;
  readonly #warn: Warn;

  constructor(memory: ActivationMemory, tolerance: number, warn: Warn) {
    this.#memory = memory;
    this.#tolerance = tolerance;
    this.#warn = warn;
  }

  get memory(): ActivationMemory {
    return this.#memory;
  }

  /** The largest relative error of a rebuilt input so far; 0 where nothing was rebuilt. */
  get drift(): number {
    return this.#drift;
  }

  /** Goes on where an interrupted training stood. */
  restore(memory: ActivationMemory, drift: number): void {
    this.#memory = memory;
    this.#drift = drift;
  }

  /**
   * Runs a forward and backward pass under the plan.
   *
   * @param body is given a function through which its forward pass must go
   * @returns what the body made, and the largest drift: float64 [], null where nothing was rebuilt
   */
  apply<T>(body: (under: <F>(forward: () => F) => F) => T): { made: T; drift: Tensor | null } {
    return scope(() => {
      const kept = new Activations(this.#memory);
      try {
        const made = body((forward) => withActivations(kept, forward));
        const { drifts } = kept;
        const drift =
          drifts.length === 0 ? null : max(concatRows(drifts.map((each) => reshape(each, [1]))));
        return { made, drift };
      } finally {
        for (const each of kept.drifts) each.dispose();
      }
    });
  }

  /** A number that is finite only if the drift may be accepted; null where every drift may. */
  limit(drift: Tensor): Tensor | null {
    if (this.#tolerance === Infinity) return null;
    return scope(() => sqrt(affineScalar(drift, -1, this.#tolerance)));
  }

  /** Whether a step with this drift may be taken. If not, the plan is changed: take the step again. */
  accept(drift: number, step: string): boolean {
    if (drift <= this.#tolerance) {
      this.#drift = Math.max(this.#drift, drift);
      return true;
    }
    this.#memory = 'checkpoints';
    this.#warn(
      `[fit] memory: expected the inverse to rebuild activations within ${this.#tolerance}, got a relative error of ` +
        `${drift.toPrecision(3)} ${step}: training goes on with memory 'checkpoints' (bound the scales, use float64, ` +
        'or pass a larger driftTolerance)',
    );
    return false;
  }
}

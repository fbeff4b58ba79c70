/**
 * What a chain keeps of its forward pass for the backward pass.
 *
 * A bijection can be undone, so its input need not be kept: backward can rebuild it from the output (Gomez et al. 2017,
 * "The Reversible Residual Network", section 3; Kingma, Dhariwal 2018, "Glow", section 1). The memory of a step then does not
 * grow with the depth of the chain.
 */
import type { Tensor } from '../tensor/tensor';

/**
 * 'taped': everything that gradients read. 'invertible': the output of the chain only. 'checkpoints': the input of
 * each bijection; what lies inside of it is computed again.
 */
export type ActivationMemory = 'taped' | 'invertible' | 'checkpoints';

export function isActivationMemory(value: unknown): value is ActivationMemory {
  return value === 'taped' || value === 'invertible' || value === 'checkpoints';
}

export class Activations {
  readonly memory: ActivationMemory;
  /**
   * One float64 scalar a chain that was rebuilt: ‖x̂ − x‖/‖x‖ of its rebuilt input x̂. Filled by the backward pass; whoever made
   * this object reads and disposes them.
   */
  readonly drifts: Tensor[] = [];

  constructor(memory: ActivationMemory) {
    this.memory = memory;
  }
}

let current = new Activations('taped');

/** How chains keep their activations at the moment. */
export function activations(): Activations {
  return current;
}

/** Runs `body`, in which chains keep what `kept` says. */
export function withActivations<T>(kept: Activations, body: () => T): T {
  const before = current;
  current = kept;
  try {
    return body();
  } finally {
    current = before;
  }
}

/** A training loop is one long computation: the event loop must get its turns, or nothing else in the process runs. */

const sliceMs = 30;

/** Thrown out of a pass over the data when the signal stops it; never leaves this folder. */
export class Interrupted extends Error {}

export class Pacer {
  #since = performance.now();

  /** @param signal that stops passes over the data */
  constructor(readonly signal?: AbortSignal) {}

  /** Whether it is time to give a turn. */
  get due(): boolean {
    return performance.now() - this.#since >= sliceMs;
  }

  /** In a pass over the data, when due: a turn. @throws Interrupted when the signal has stopped the work */
  async breathe(): Promise<void> {
    if (!this.due) return;
    await this.turn();
    if (this.signal?.aborted) throw new Interrupted();
  }

  /** Gives the event loop a turn: timers, sockets, signals and finalizers run. */
  async turn(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#since = performance.now();
  }
}

/** A training loop is one long computation: the event loop must get its turns, or nothing else in the process runs. */

const sliceMs = 30;

export class Pacer {
  #since = performance.now();

  /** Whether it is time to give a turn. */
  get due(): boolean {
    return performance.now() - this.#since >= sliceMs;
  }

  /** Gives the event loop a turn: timers, sockets, signals and finalizers run. */
  async turn(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#since = performance.now();
  }
}

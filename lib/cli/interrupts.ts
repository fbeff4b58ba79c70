/** Ctrl-C and a polite kill: the first one lets the training save its checkpoint, the second one ends at once. */
import { exitStatus, type Terminal } from './status';

type Signal = 'SIGINT' | 'SIGTERM';

export interface Interrupts {
  readonly signal: AbortSignal;
  /** The exit status of the signal that came, or null. */
  status(): number | null;
  release(): void;
}

/** Watches for the signals until `release`. */
export function watchInterrupts(terminal: Terminal): Interrupts {
  const controller = new AbortController();
  let came: Signal | null = null;
  const statusOf = (signal: Signal) =>
    signal === 'SIGINT' ? exitStatus.interrupted : exitStatus.terminated;
  const handle = (signal: Signal) => {
    if (came) process.exit(statusOf(signal));
    came = signal;
    terminal.stderr.write('\nstopping after this step; again to stop at once\n');
    controller.abort();
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return {
    signal: controller.signal,
    status: () => came && statusOf(came),
    release() {
      process.off('SIGINT', handle);
      process.off('SIGTERM', handle);
    },
  };
}

/**
 * Ops that have no kernel in cuda/ops yet, each of them named: a row of the registry that is missing there and here fails
 * test/ops/completeness.test.ts, and so does one that is here in vain. Tests that reach one of them are skipped, all others hold.
 */
import { isFlowError } from '../../lib/errors';

export const awaited: readonly string[] = ['pixel_sample', 'residual_series'];

/** Whether a failure is that of an awaited op. */
export function isAwaited(error: unknown): boolean {
  if (!isFlowError(error, 'NATIVE')) return false;
  const [, op = ''] =
    /^\[(\w+)\] (device: cuda has no kernel|scale map 1[67]: there is no kernel)/.exec(
      error.message,
    ) ?? [];
  return awaited.includes(op);
}

/** Runs a test on the GPU; `skip` where it reaches an awaited op. */
export function unlessAwaited(skip: (why: string) => void, body: () => void): void {
  try {
    body();
  } catch (error) {
    if (!isAwaited(error)) throw error;
    skip((error as Error).message);
  }
}

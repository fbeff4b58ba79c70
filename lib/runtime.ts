/** What the process computes with: threads, memory, backends. */
import { expected, FlowError } from './errors';
import { native } from './native';
import { cudaStatus } from './tensor/device';

/**
 * Sets how many threads work on a call at most, the calling one included. Results do not depend on it. Recorded programs, which
 * training steps are, take fewer where they are faster with fewer: that is measured in their first runs.
 */
export function setThreads(threads: number): void {
  if (!Number.isInteger(threads) || threads < 1 || threads > 256) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        'setThreads',
        'threads',
        'a whole number from 1 to 256',
        String(threads),
        'one a core is a good choice',
      ),
    );
  }
  native.setThreads(threads);
}

/** Threads that work on a call. Default: the number of cores, or FLOW_KERNELS_THREADS. */
export function getThreads(): number {
  return native.threads();
}

export interface MemoryReport {
  /** Buffers in use (several tensors may look at one). */
  readonly buffers: number;
  /** Bytes in use. */
  readonly bytes: number;
  /** Bytes kept for reuse. */
  readonly cachedBytes: number;
  /** Most bytes in use at once. */
  readonly peakBytes: number;
  /** Bytes in use on the GPU, and kept there for reuse. */
  readonly gpuBytes: number;
  readonly gpuCachedBytes: number;
}

/** Native memory of this environment (main thread or worker). */
export function memory(): MemoryReport {
  const [buffers, bytes, cachedBytes, peakBytes, , gpuBytes, gpuCachedBytes] = native.memory();
  return { buffers, bytes, cachedBytes, peakBytes, gpuBytes, gpuCachedBytes };
}

/** Gives cached memory back to the system and starts the peak anew. */
export function trimMemory(): void {
  native.trim();
}

export interface Backend {
  readonly name: 'cpu' | 'cuda';
  readonly available: boolean;
  /** What it runs on, or why it is not available. */
  readonly description: string;
}

/** The backends of this build and whether they can be used here. */
export function backends(): Backend[] {
  return [
    { name: 'cpu', available: true, description: `${native.isa}, ${native.threads()} threads` },
    { name: 'cuda', ...cudaStatus() },
  ];
}

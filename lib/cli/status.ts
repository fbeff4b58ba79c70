/** How a command ends. */

/** Exit statuses: those of signals are 128 + the signal's number, as shells have it. */
export const exitStatus = {
  ok: 0,
  /** Bad data, a missing file, a computation that failed. */
  failure: 1,
  /** A command line that cannot be meant. */
  usage: 2,
  interrupted: 130,
  terminated: 143,
} as const;

/** A command line that is well formed word by word and makes no sense as a whole. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Where a command writes: data to stdout, everything for people to stderr. A process is one. */
export interface Terminal {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** Writes and waits until the stream takes more, so that memory does not grow with slow readers. */
export async function write(stream: NodeJS.WritableStream, text: string): Promise<void> {
  if (!stream.write(text)) await new Promise((resolve) => stream.once('drain', resolve));
}

/** Opening, reading and writing of large files, and what their errors say. */
import { type FileHandle, open } from 'node:fs/promises';
import { expected, FlowError } from '../errors';
import { path as aPath, checkArgument } from '../options';

/** The most bytes that one read or write may move: the kernel's own limit is just under 2 GiB. */
const PIECE = 2 ** 30;

/** What to do about an error of the file system, by its code. */
const REMEDIES: Record<string, [got: string, remedy: string]> = {
  ENOENT: ['no such file or folder', 'check the path'],
  ENOTDIR: ['a part of the path that is a file', 'check the path'],
  EEXIST: ['a file of that name', 'choose another path'],
  EISDIR: ['a folder', 'give the path of a file'],
  EACCES: ['a path without permission', 'change its permissions or choose another path'],
  EPERM: ['a path without permission', 'change its permissions or choose another path'],
  EROFS: ['a read-only file system', 'choose another path'],
  ENOSPC: ['a full disk', 'free some space and try again'],
  EDQUOT: ['an exhausted quota', 'free some space and try again'],
  EMFILE: ['too many open files', 'close some, or raise the limit'],
  ENAMETOOLONG: ['a name that is too long', 'choose a shorter one'],
};

/** An error of the file system as a {@link FlowError} of code `FILE` that names the file. */
export function fileError(where: string, path: string, expectation: string, cause: unknown) {
  if (cause instanceof FlowError) return cause;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
  const text = cause instanceof Error ? cause.message : String(cause);
  const [got, remedy] = REMEDIES[code] ?? [text, 'check the path and the disk'];
  return new FlowError('FILE', expected(where, path, expectation, got, remedy), { cause });
}

/**
 * Opens a file to read it.
 *
 * @returns its handle, which the caller closes, and its size in bytes
 * @throws FlowError `FILE` where it is missing, a folder, or not readable
 */
export async function openFile(
  where: string,
  path: string,
): Promise<{ handle: FileHandle; size: number }> {
  checkArgument(where, 'path', path, aPath);
  const expectation = 'a readable file';
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const stat = await handle.stat();
    if (!stat.isFile()) {
      const got = stat.isDirectory() ? 'a folder' : 'something that is not a plain file';
      const sentence = expected(where, path, expectation, got, 'give the path of a file');
      throw new FlowError('FILE', sentence);
    }
    return { handle, size: stat.size };
  } catch (error) {
    await handle?.close();
    throw fileError(where, path, expectation, error);
  }
}

/**
 * Fills `target` from `position` of a file on, in pieces, so that no size is too large.
 *
 * @returns the number of bytes read, which is less than asked for only at the end of the file
 */
export async function readFully(
  handle: FileHandle,
  target: Uint8Array,
  position: number,
): Promise<number> {
  let done = 0;
  while (done < target.byteLength) {
    const length = Math.min(PIECE, target.byteLength - done);
    const { bytesRead } = await handle.read(target, done, length, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/** Writes all of `bytes` at the handle's own position, in pieces. */
export async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesWritten } = await handle.write(
      bytes,
      done,
      Math.min(PIECE, bytes.byteLength - done),
    );
    done += bytesWritten;
  }
}

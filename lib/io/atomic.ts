/** Files that are the old ones or the new ones, never half of them. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { path as aPath, checkArgument } from '../options';
import { fileError, writeFully } from './file';

const WHERE = 'writeFileAtomic';

/** What can be written: one piece, or pieces that are made as they are written. */
export type FileContent =
  | string
  | Uint8Array
  | Iterable<string | Uint8Array>
  | AsyncIterable<string | Uint8Array>;

/**
 * Writes a file so that its path always holds either the whole old content or the whole new one,
 * also when the process is killed or the power fails: the content goes to a temporary file in the
 * same folder, is flushed to the disk, and is renamed over the path; then the folder is flushed.
 *
 * A symbolic link is followed, and an existing file's permissions are kept. On failure the
 * temporary file is removed and the old content stands. A process that was killed leaves its
 * temporary file behind; the next write to the same path removes it.
 *
 * @param content bytes or text (UTF-8), or an iterable of either
 * @throws FlowError `FILE` where the file system refuses; what `content` throws, unchanged
 */
export async function writeFileAtomic(path: string, content: FileContent): Promise<void> {
  checkArgument(WHERE, 'path', path, aPath);
  const expectation = 'a path that can be written';
  const target = await realpath(path).catch(() => path);
  const temporary = temporaryName(target);
  let handle: FileHandle | undefined;
  try {
    const mode = await modeOf(target);
    await removeLeftovers(target);
    handle = await open(temporary, 'wx', mode);
    // The mode given to open is reduced by the umask: an existing file's is set as it was.
    if (mode !== undefined) await handle.chmod(mode);
  } catch (error) {
    await discard(handle, temporary);
    throw fileError(WHERE, path, expectation, error);
  }
  try {
    for await (const piece of pieces(content)) {
      const bytes = typeof piece === 'string' ? Buffer.from(piece, 'utf8') : piece;
      await writeFully(handle, bytes).catch((error) => {
        throw fileError(WHERE, path, expectation, error);
      });
    }
  } catch (error) {
    await discard(handle, temporary);
    throw error;
  }
  try {
    await handle.sync();
    await handle.close();
    handle = undefined;
    await renameOver(temporary, target);
    await syncFolder(dirname(target));
  } catch (error) {
    await discard(handle, temporary);
    throw fileError(WHERE, path, expectation, error);
  }
}

function pieces(content: FileContent) {
  return typeof content === 'string' || content instanceof Uint8Array ? [content] : content;
}

/** Names the writer's process, so that a later one can see whether it is still at work. */
function temporaryName(target: string): string {
  const unique = randomBytes(6).toString('hex');
  return join(dirname(target), `.${basename(target)}.${process.pid}.${unique}.tmp`);
}

/** The permissions of an existing file; undefined where there is none yet. */
async function modeOf(target: string): Promise<number | undefined> {
  try {
    const found = await stat(target);
    if (found.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    return found.mode & 0o777;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Leftovers younger than this may be the work of a process on another machine: they stay. */
const LEFTOVER_AGE_MS = 10 * 60 * 1000;

/** Removes temporary files that dead processes left beside `target`. */
async function removeLeftovers(target: string): Promise<void> {
  const folder = dirname(target);
  const prefix = `.${basename(target)}.`;
  // A folder that may be written but not listed is no reason to fail.
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(prefix)) continue;
    const match = /^(\d+)\.[0-9a-f]{12}\.tmp$/.exec(name.slice(prefix.length));
    if (match === null || isAlive(Number(match[1]))) continue;
    const path = join(folder, name);
    const age = await stat(path).then(
      (found) => Date.now() - found.mtimeMs,
      () => 0,
    );
    // Another writer may be faster: a leftover that is gone already is no error.
    if (age > LEFTOVER_AGE_MS) await unlink(path).catch(() => {});
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** On Windows a virus scanner or an indexer may hold the target for a moment. */
async function renameOver(from: string, to: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await rename(from, to);
      return;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      const passing = ['EPERM', 'EACCES', 'EBUSY'].includes(code);
      if (process.platform !== 'win32' || !passing || attempt === 9) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10 * 2 ** attempt));
    }
  }
}

/** Flushes a folder's list of names, without which a rename may not survive a power failure. */
async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder, and keeps the list safe by itself.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems have no flush of folders: the rename itself was done.
    if (!['EINVAL', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    await handle.close();
  }
}

async function discard(handle: FileHandle | undefined, temporary: string): Promise<void> {
  await handle?.close().catch(() => {});
  await unlink(temporary).catch(() => {});
}

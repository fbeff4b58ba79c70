/** What `--out` names: a file of a kind that is written, and none that is read. */
import { realpath } from 'node:fs/promises';
import { extname } from 'node:path';
import { UsageError } from './status';

/** Throws UsageError where the output would overwrite what is read: results are no reason to lose the data. */
export async function refuseOverwrite(
  out: string | undefined,
  ...inputs: readonly (string | undefined)[]
): Promise<void> {
  const real = (path: string) => realpath(path).catch(() => null);
  const target = out === undefined ? null : await real(out);
  if (target === null) return;
  for (const input of inputs) {
    if (input === undefined || (await real(input)) !== target) continue;
    throw new UsageError(`--out ${out}: this is the file that is read: choose another name`);
  }
}

/** The kind of an output file by its ending. @throws UsageError for one that is not written */
export function outputKind<K extends string>(path: string, kinds: readonly K[]): K {
  const ending = extname(path).slice(1).toLowerCase();
  const kind = kinds.find((candidate) => candidate === ending);
  if (kind) return kind;
  const list = kinds.map((candidate) => `.${candidate}`).join(', ');
  throw new UsageError(`--out ${path}: the name must end with ${list}`);
}

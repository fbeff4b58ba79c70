// The results file of a run that can be stopped and goes on with the same command.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, parse } from 'node:path';

/** What an earlier run of the same settings left at `path`, or null. Any other file there keeps its numbers under another name. */
export function earlierResults(path, settings) {
  if (!existsSync(path)) return null;
  let reason;
  try {
    const before = JSON.parse(readFileSync(path, 'utf8'));
    if (JSON.stringify(before.settings) === JSON.stringify(settings)) return before;
    reason = 'it is of other settings';
  } catch (error) {
    reason = `it cannot be read (${error.message})`;
  }
  const kept = freeName(path);
  renameSync(path, kept);
  console.error(`${path}: ${reason}; kept as ${kept}, this run starts anew`);
  return null;
}

/** Writes them whole or not at all: a run may be stopped at any time. */
export function writeResults(path, results) {
  const temporary = `${path}.part`;
  writeFileSync(temporary, `${JSON.stringify(results, null, 1)}\n`);
  renameSync(temporary, path);
}

/** results.1.json, or the first number that no file has. */
function freeName(path) {
  const { dir, name, ext } = parse(path);
  for (let k = 1; ; k++) {
    const candidate = join(dir, `${name}.${k}${ext}`);
    if (!existsSync(candidate)) return candidate;
  }
}

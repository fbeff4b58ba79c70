/** What an object that is compiled for one instruction set must not hold. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../command';

/** The `.o` files below a folder. */
export function objectsOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.o'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/**
 * What may not stand in an object that is compiled for one instruction set, one sentence each:
 *
 * - A symbol seen by the linker that is not tied to the namespace `flow::<set>`. Two objects that define
 *   the same inline function share one copy, and the linker may keep the one with AVX-512 instructions for
 *   the whole library: it then dies on every CPU without them.
 * - A function that runs when the library is loaded: it would run on every CPU, chosen or not.
 */
export function isaSymbolViolations(objects: readonly string[], set: string): string[] {
  const found: string[] = [];
  for (const object of objects) {
    for (const line of run('nm', [object]).split('\n')) {
      const match = /^[0-9a-f]*\s+([A-Za-z])\s(.*)$/.exec(line);
      const [type, name] = [match?.[1], match?.[2]];
      if (type === undefined || name === undefined) continue;
      if (/^_GLOBAL__sub_I/.test(name)) found.push(`${object}: runs at load: ${name}`);
      // U is what the object asks of others, lower case (but for v, w and u) what it keeps to itself.
      const shared = type !== 'U' && /[A-Zuvw]/.test(type);
      // Mangled names: nm does not demangle every lambda.
      const tied = name.includes('4flow') && name.includes(`${set.length}${set}`);
      if (shared && !tied) found.push(`${object}: ${type} ${run('c++filt', [name]).trim()}`);
    }
  }
  return found;
}

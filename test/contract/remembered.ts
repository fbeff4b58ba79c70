/**
 * What the slow references gave, kept from run to run: differences do not depend on the kernels, and the same contract runs several times
 * in CI, at other instruction sets and under sanitizers. Where FLOW_TEST_REFERENCES names no folder, nothing is kept.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.env['FLOW_TEST_REFERENCES'];

/** @param name and numbers: all that the result depends on, but for the code of the references */
export function remembered(
  name: string,
  numbers: readonly Float64Array[],
  compute: () => Float64Array,
): Float64Array {
  if (!folder) return compute();
  const hash = createHash('sha1').update(name);
  for (const array of numbers)
    hash.update(`|${array.length}|`).update(new Uint8Array(array.buffer));
  const path = join(folder, hash.digest('hex'));
  if (existsSync(path)) return new Float64Array(Uint8Array.from(readFileSync(path)).buffer);
  const values = compute();
  // Renamed into place: other workers read at the same time.
  writeFileSync(`${path}.${process.pid}`, new Uint8Array(values.buffer));
  renameSync(`${path}.${process.pid}`, path);
  return values;
}

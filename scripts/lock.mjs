// One native build at a time in a checkout: two makes in one build folder break each other.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM'; // alive, but of another user
  }
}

/** Runs `body` (synchronous) while this process holds the build lock of the package root. */
export function locked(root, body) {
  const path = join(root, '.build.lock');
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = Number(readOwner(path));
    if (owner > 0 && !isAlive(owner)) rmSync(path, { force: true }); // left by a killed build
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  try {
    return body();
  } finally {
    rmSync(path, { force: true });
  }
}

/** The process id in the lock file; '' where its owner has just removed it or not yet written it. */
function readOwner(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return '';
    throw error;
  }
}

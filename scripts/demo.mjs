// npm run demo [-- options of `flow-kernels demo`]: builds what is out of date, and trains with the time that is left of
// three minutes.

import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Seconds for everything that this script does, so that `npm ci` before it fits into three minutes, too. */
const TOTAL = 160;
/** Seconds for reading MNIST, the test rows, the samples and the report. */
const AROUND = 12;
/** A shorter training would show nothing. */
const LEAST = 60;

const started = performance.now();
const root = dirname(dirname(fileURLToPath(import.meta.url)));

function run(...words) {
  const { status, signal, error } = spawnSync(process.execPath, words, {
    cwd: root,
    stdio: 'inherit',
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? (signal === 'SIGINT' ? 130 : 1));
}

// Ctrl-C reaches the child by itself: it says goodbye, and then this script ends with its status.
process.on('SIGINT', () => {});
run(join(root, 'scripts', 'build.mjs'), '--quiet', '--for-this-machine');
const building = (performance.now() - started) / 1000;
const training = Math.max(LEAST, Math.round(TOTAL - AROUND - building));
run(
  join(root, 'dist', 'cli', 'main.js'),
  'demo',
  '--time-limit',
  `${training}s`,
  ...process.argv.slice(2),
);

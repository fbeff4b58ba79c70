// Runs the contract tests once for each instruction set of this machine but the best, by force: the best
// is what `npm test` has run.
//
//   node scripts/test-isa.mjs [vitest arguments; default: the folders of the contract]

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SETS } from './sources.cjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const vitest = join(dirname(require.resolve('vitest/package.json')), 'vitest.mjs');
// The addon knows what its CPU has, on every platform.
const sets = SETS[process.arch] ?? [];
const best = require('node-gyp-build')(root).isa;
const given = process.argv.slice(2);
const filters = given.length > 0 ? given : ['test/native', 'test/ops', 'test/bijections'];
// Vitest leaves one core free for itself: half of a machine of two.
const workers = `--maxWorkers=${availableParallelism()}`;

for (const set of sets.slice(0, sets.indexOf(best))) {
  process.stdout.write(`\n--- FLOW_KERNELS_ISA=${set}\n`);
  const result = spawnSync(process.execPath, [vitest, 'run', workers, ...filters], {
    cwd: root,
    env: { ...process.env, FLOW_KERNELS_ISA: set },
    stdio: 'inherit',
  });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
}

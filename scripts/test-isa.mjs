// Runs the contract tests once for each instruction set of this machine but the best, by force: the best
// is what `npm test` has run.
//
//   node scripts/test-isa.mjs [vitest arguments; default: the folders of the contract]

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { machineSets } from './machine-sets.cjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const vitest = join(
  dirname(createRequire(import.meta.url).resolve('vitest/package.json')),
  'vitest.mjs',
);
const given = process.argv.slice(2);
const filters = given.length > 0 ? given : ['test/native', 'test/ops', 'test/bijections'];
// Vitest leaves one core free for itself: half of a machine of two.
const workers = `--maxWorkers=${availableParallelism()}`;

for (const set of machineSets().slice(0, -1)) {
  process.stdout.write(`\n--- FLOW_KERNELS_ISA=${set}\n`);
  const result = spawnSync(process.execPath, [vitest, 'run', workers, ...filters], {
    cwd: root,
    env: { ...process.env, FLOW_KERNELS_ISA: set },
    stdio: 'inherit',
  });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
}

// Runs the native contract tests on an addon built with the address and undefined-behaviour sanitizers, at the widest
// instruction set of this machine: the others are the same code with narrower registers, which reach less far. Linux with
// g++ or clang, and cmake.
//
//   node scripts/test-sanitize.mjs [--no-build] [--sets=sse2,avx2] [vitest filters; default: test/native test/ops]

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { machineSets } from './machine-sets.cjs';

const SANITIZERS = 'address,undefined';
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const build = !process.argv.includes('--no-build');
const given = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const filters = given.length > 0 ? given : ['test/native', 'test/ops'];
// Vitest leaves one core free for itself: half of a machine of two.
const workers = `--maxWorkers=${availableParallelism()}`;

function run(command, args, env) {
  const result = spawnSync(command, args, { cwd: root, env, stdio: 'inherit' });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
}

const asked = process.argv.find((argument) => argument.startsWith('--sets='));
const sets = asked ? asked.slice('--sets='.length).split(',') : machineSets().slice(-1);

if (process.platform !== 'linux') {
  process.stderr.write('[test-sanitize] platform: expected linux: the preload works there only\n');
  process.exit(2);
}
if (build) {
  const script = join(root, 'scripts', 'build-cmake.mjs');
  const flags = [`--sanitize=${SANITIZERS}`, `--sets=${sets.join(',')}`];
  run(process.execPath, [script, ...flags], process.env);
}

/** The path of a run-time library of the compiler. Node itself is not instrumented: it is preloaded. */
function library(name) {
  const compiler = process.env.CXX ?? 'g++';
  const path = execFileSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
  if (!existsSync(path)) throw new Error(`[test-sanitize] ${name}: not found by ${compiler}`);
  return path;
}

const vitest = join(dirname(require.resolve('vitest/package.json')), 'vitest.mjs');
for (const set of sets) {
  process.stdout.write(`\n--- address and undefined-behaviour sanitizers, ${set}\n`);
  run(process.execPath, [vitest, 'run', workers, ...filters], {
    ...process.env,
    FLOW_KERNELS_PREBUILD: join(root, 'build-asan'),
    FLOW_KERNELS_ISA: set,
    FLOW_KERNELS_POISON: '1',
    FLOW_SANITIZE: SANITIZERS,
    LD_PRELOAD: `${library('libasan.so')}:${library('libubsan.so')}:${library('libstdc++.so')}`,
    // Node never frees what it holds at exit: leaks are counted by memory() in the tests instead.
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=0:exitcode=99:detect_stack_use_after_return=0',
    UBSAN_OPTIONS: 'print_stacktrace=1',
  });
}

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PACKAGE_ROOT, run } from '../command';

// The programs test/native/*_test.cc: C++ tests of what the op contract cannot reach, each compiled here
// with the flags of the build and run once. Instruction set: FLOW_KERNELS_ISA, else the best of the
// machine. FLOW_SANITIZE=address,undefined instruments them.
const { flags } = require('../../scripts/sources.cjs') as { flags(set: string): string[] };
const { machineSets } = require('../../scripts/machine-sets.cjs') as { machineSets(): string[] };
const set = process.env.FLOW_KERNELS_ISA ?? machineSets().at(-1) ?? '';
const programs = readdirSync(__dirname).filter((file) => file.endsWith('_test.cc'));

/** What the programs are linked with: memory, threads and the kernels below the ops. */
const CORE = ['memory', 'scratch', 'thread_pool'].map((name) => `native/core/${name}.cc`);

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'flow-programs-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

// What is set for Node under sanitizers is not meant for the compiler and the programs: these look for leaks too.
const { LD_PRELOAD: _preload, ASAN_OPTIONS: _options, ...environment } = process.env;

describe.runIf(process.platform !== 'win32')('C++ test programs', () => {
  it.each(programs)(
    '%s',
    (file) => {
      const sanitize = process.env.FLOW_SANITIZE;
      const compiler = process.env.CXX ?? (process.platform === 'darwin' ? 'clang++' : 'g++');
      const program = join(folder, file.replace('.cc', ''));
      const simd = readdirSync(join(PACKAGE_ROOT, 'native/simd')).filter((name) =>
        name.endsWith('.cc'),
      );
      const build = [
        // The core is compiled along, and it throws.
        ...[...flags(set), '-fexceptions', '-Inative', '-Itest/native', `test/native/${file}`],
        ...[...simd.map((name) => `native/simd/${name}`), ...CORE, '-o', program],
        ...(sanitize
          ? [`-fsanitize=${sanitize}`, '-fno-sanitize-recover=all', '-O1', '-g']
          : ['-O3']),
      ];
      run(compiler, build, PACKAGE_ROOT, environment);
      expect(run(program, [], PACKAGE_ROOT, environment)).toMatch(/ 0 failures\s*$/);
    },
    600_000,
  );
});

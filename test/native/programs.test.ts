import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PACKAGE_ROOT, run } from '../command';

// The programs test/native/*_test.cc: C++ tests of what the op contract cannot reach, each compiled here
// with the flags of the build and run once. Instruction set: FLOW_KERNELS_ISA, else the best of the
// machine. FLOW_SANITIZE=address,undefined instruments them.
const { flags } = require('../../scripts/sources.cjs') as { flags(set: string): string[] };
const { machineSets } = require('../../scripts/machine-sets.cjs') as { machineSets(): string[] };
const set = process.env.FLOW_KERNELS_ISA ?? machineSets().at(-1) ?? '';
const programs = readdirSync(__dirname).filter((file) => file.endsWith('_test.cc'));

/** Memory and threads, which the programs are linked with. */
const CORE = ['memory', 'scratch', 'stay_loaded', 'thread_pool'].map(
  (name) => `native/core/${name}.cc`,
);

const sanitize = process.env.FLOW_SANITIZE;
const compiler = process.env.CXX ?? (process.platform === 'darwin' ? 'clang++' : 'g++');
const level = sanitize
  ? [`-fsanitize=${sanitize}`, '-fno-sanitize-recover=all', '-O1', '-g1']
  : ['-O3'];
// What is set for Node under sanitizers is not meant for the compiler and the programs: these look for leaks too.
const { LD_PRELOAD: _preload, ASAN_OPTIONS: _options, ...environment } = process.env;
const execute = promisify(execFile);

/** The kernels below the ops: the library of this instruction set as the build has left it, or their sources where it came ready. */
function kernels(): string[] {
  const library = sanitize
    ? `build-asan/build/libflow_${set}.a`
    : `build/Release/obj.target/flow_${set}.a`;
  if (existsSync(join(PACKAGE_ROOT, library))) return [library];
  return readdirSync(join(PACKAGE_ROOT, 'native/simd'))
    .filter((name) => name.endsWith('.cc'))
    .map((name) => `native/simd/${name}`);
}

/** The object file of a source. */
async function compiled(source: string): Promise<string> {
  const object = join(folder, `${source.replaceAll('/', '-')}.o`);
  // The core throws.
  const words = [...flags(set), '-fexceptions', '-Inative', '-Itest/native', ...level];
  await execute(compiler, [...words, '-c', source, '-o', object], {
    cwd: PACKAGE_ROOT,
    env: environment,
    maxBuffer: 1 << 26,
  });
  return object;
}

/** Some sources at a time, as many as there are cores. */
async function compiledAll(sources: readonly string[]): Promise<string[]> {
  const left = [...sources];
  const objects: string[] = [];
  const worker = async () => {
    for (let source = left.pop(); source !== undefined; source = left.pop())
      objects.push(await compiled(source));
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return objects;
}

let folder = '';
let linked: string[] = [];
const programsRun = process.platform !== 'win32';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flow-programs-'));
  if (!programsRun) return;
  const [below, sources] = [kernels(), (name: string) => name.endsWith('.cc')];
  const made = await compiledAll([...CORE, ...below.filter(sources)]);
  linked = [...made, ...below.filter((name) => !sources(name))];
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true }));

describe.runIf(programsRun)('C++ test programs', () => {
  it.each(programs)(
    '%s',
    async (file) => {
      const program = join(folder, file.replace('.cc', ''));
      const object = await compiled(`test/native/${file}`);
      const link = [...level, '-pthread', object, ...linked, '-o', program];
      run(compiler, link, PACKAGE_ROOT, environment);
      expect(run(program, [], PACKAGE_ROOT, environment)).toMatch(/ 0 failures\s*$/);
    },
    600_000,
  );
});

// Tests of the CUDA kernels.
//
//   node scripts/test-cuda.mjs [vitest arguments]     in the host emulation (test/cuda), each case in three orders of the threads
//   node scripts/test-cuda.mjs --gpu [arguments]      on a GPU, by the plug-in of `npm run build:cuda`: test/cuda, then the whole contract
//   node scripts/test-cuda.mjs --whole [arguments]    in the emulation the contract of ops and bijections word for word, with all its
//                                                     differences (half an hour)
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const vitest = join(
  dirname(createRequire(import.meta.url).resolve('vitest/package.json')),
  'vitest.mjs',
);
const isSwitch = (argument) => argument === '--gpu' || argument === '--whole';
const given = process.argv.slice(2).filter((argument) => !isSwitch(argument));
const [onGpu, whole] = ['--gpu', '--whole'].map((name) => process.argv.includes(name));
const library = onGpu
  ? join(root, 'build', 'cuda', 'Release') // the best of what is there
  : join(root, 'build', 'emulation', 'flow_kernels_cuda.so');

function run(args, env = {}) {
  const result = spawnSync(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: 'inherit',
  });
  if (result.error) throw result.error;
  if (result.status === 0) return;
  // What a GPU says of all tests is worth more than that it stopped at the first.
  process.exitCode = result.status ?? 1;
  if (!onGpu) process.exit();
}

// Vitest leaves one core free for itself: half of a machine of two.
const tests = (filters, env) =>
  run([vitest, 'run', `--maxWorkers=${availableParallelism()}`, ...filters], {
    FLOW_KERNELS_CUDA: library,
    ...(onGpu ? { FLOW_TEST_GPU: '1' } : {}),
    ...env,
  });

if (!onGpu) run([join(root, 'scripts', 'build-emulation.mjs'), '--quiet']);
else if (!existsSync(library))
  throw new Error(`${library} is not there: build it with "npm run build:cuda"`);

if (!whole) tests(given.length > 0 ? given : ['test/cuda'], {});
if (whole || (onGpu && given.length === 0)) {
  const filters = given.length > 0 ? given : ['test/ops/contract', 'test/bijections/contract'];
  // A case whose differences take a second on the CPU takes minutes in the emulation, more beside other work.
  const patient = onGpu ? [] : ['--testTimeout=3600000'];
  tests([...patient, ...filters], { FLOW_TEST_DEVICE: 'cuda' });
}

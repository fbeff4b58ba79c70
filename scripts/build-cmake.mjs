// Builds the addon with cmake-js into build-cmake/build/Release.
//
//   node scripts/build-cmake.mjs [--sanitize=address,undefined] [--sets=sse2,avx512] [--out=build-other] [--arch=arm64]
//   node scripts/build-cmake.mjs --cuda [--toolkit=/usr/local/cuda-12.8] [--CDFLOW_CUDA_ARCHITECTURES=90-real]
//
// --CD… go to cmake as -D…. --cuda builds the CUDA plug-in instead (needs nvcc), named after the toolkit's major version:
// build/cuda/Release/flow_kernels_cuda13.so. Those of several toolkits lie there side by side.
// --arch=arm64 on Linux x64 takes the cross-compiler (scripts/cross.mjs) and goes to build-arm64/build/Release.
// A sanitizer build goes to build-asan/build/Release. The `build/Release` inside makes node-gyp-build
// find it: FLOW_KERNELS_PREBUILD=$PWD/build-asan node ... loads that addon in place of the usual one.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crossTools } from './cross.mjs';
import { locked } from './lock.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const sanitize = process.argv.find((argument) => argument.startsWith('--sanitize='))?.slice(11);
const arch = process.argv.find((argument) => argument.startsWith('--arch='))?.slice(7);
const cross = crossTools(arch);
const sets = process.argv.find((argument) => argument.startsWith('--sets='))?.slice(7);
const cuda = process.argv.includes('--cuda');
const folder = process.argv.find((argument) => argument.startsWith('--out='))?.slice(6);
const toolkit = process.argv.find((argument) => argument.startsWith('--toolkit='))?.slice(10);

// A folder of cmake keeps the compiler that it was configured with.
const out = cuda
  ? join(root, 'build', toolkit ? `cuda-${toolkit.replace(/\W+/g, '_')}` : 'cuda')
  : join(
      root,
      folder ?? (sanitize ? 'build-asan' : cross ? `build-${arch}` : 'build-cmake'),
      'build',
    );
const cmakeJs = join(dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
const definitions = [
  ...process.argv.filter((argument) => argument.startsWith('--CD')),
  ...(toolkit
    ? [`--CDCMAKE_CUDA_COMPILER=${toolkit}/bin/nvcc`, `--CDCUDAToolkit_ROOT=${toolkit}`]
    : []),
];
if (cross) {
  definitions.push(
    ...['--CDCMAKE_SYSTEM_NAME=Linux', `--CDCMAKE_SYSTEM_PROCESSOR=${cross.processor}`],
    ...[`--CDCMAKE_C_COMPILER=${cross.cc}`, `--CDCMAKE_CXX_COMPILER=${cross.cxx}`],
  );
}
const run = (command) =>
  spawnSync(
    process.execPath,
    [
      ...[
        cmakeJs,
        command,
        '-O',
        out,
        '--parallel',
        process.env.JOBS ?? String(availableParallelism()),
      ],
      // MSVC itself has no vector extensions.
      ...(process.platform === 'win32' ? ['--toolset', 'ClangCL'] : []),
      ...(cross ? ['--arch', arch] : []),
      ...(cuda ? ['--CDFLOW_CUDA=ON'] : []),
      ...(sanitize ? [`--CDFLOW_SANITIZE=${sanitize}`] : []),
      ...(sets ? [`--CDFLOW_SETS=${sets}`] : []),
      ...definitions,
    ],
    { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
  );
const result = locked(root, () => {
  // A folder that is configured is only built: what is defined now would not be heard.
  const configured = definitions.length > 0 ? run('configure') : { status: 0 };
  return configured.status === 0 ? run('build') : configured;
});
if (result.error) throw result.error;
process.exitCode = result.status ?? 1;

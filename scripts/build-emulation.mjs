// Builds the CUDA plug-in for the host emulation of test/cuda/emulation: build/emulation/flow_kernels_cuda.so.
//
//   node scripts/build-emulation.mjs [--quiet]
//   node scripts/build-emulation.mjs [--quiet] --program FILE.cu TARGET      a program of one file, without the plug-in
//
// The .cu files are those that nvcc compiles. The host compiler calls a function before each of their loads and stores
// (-fsanitize=kernel-address), with which the emulation checks every access. Linux, g++ or clang.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'build', 'emulation');
const target = join(out, 'flow_kernels_cuda.so');
const quiet = process.argv.includes('--quiet');
const program = process.argv.indexOf('--program');
const compiler = process.env.CXX ?? 'g++';

const files = (folder, ending) =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder))
        .filter((name) => name.endsWith(ending))
        .sort()
        .map((name) => `${folder}/${name}`)
    : [];

const common = [
  ...[
    '-std=c++20',
    '-O1',
    '-g1',
    '-fPIC',
    '-fvisibility=hidden',
    '-fno-strict-aliasing',
    '-Wall',
    '-Wextra',
  ],
  ...['-Wno-unknown-pragmas', '-Werror', '-DFLOW_ISA=cuda', '-DFLOW_CUDA_EMULATION=1'],
  ...['-I.', '-Inative', '-Itest/cuda/emulation'],
];
/** Products and sums are contracted, as nvcc does, where the machine can: results are rounded as on a GPU. */
const fused =
  process.arch === 'x64' && /\bfma\b/.test(readFileSync('/proc/cpuinfo', 'utf8'))
    ? ['-mfma', '-ffp-contract=fast']
    : [];
/**
 * A call before each access, none for what is on the stack by construction, and no table of globals. No second copy of a
 * barrier: the emulation tells them apart by their addresses.
 */
const hooked = [
  ...['-fno-thread-jumps', '-fno-tree-dominator-opts', '-fno-split-paths'],
  '-fsanitize=kernel-address',
  ...['instrumentation-with-call-threshold=0', 'stack=0', 'globals=0'].flatMap((option) => [
    '--param',
    `asan-${option}`,
  ]),
];

const kernels = (source) => ({ source, flags: [...common, ...hooked, ...fused, '-x', 'c++'] });
const emulation = files('test/cuda/emulation', '.cc').map((source) => ({
  source,
  flags: [...common, '-O2'],
}));
const plugin = [
  ...files('cuda/ops', '.cu').map(kernels),
  ...files('cuda/core', '.cc').map((source) => ({ source, flags: common })),
  { source: 'native/core/op.cc', flags: common },
];
const [source, executable] = process.argv.slice(program + 1);
const units = [...(program < 0 ? plugin : [kernels(source)]), ...emulation].map((unit) => ({
  ...unit,
  object: join(out, `${basename(unit.source)}.o`),
}));

/** Whether the object is older than a file that it was made of. */
function stale({ object, source }) {
  const list = `${object}.d`;
  if (!existsSync(object) || !existsSync(list)) return true;
  const made = statSync(object).mtimeMs;
  const parts = readFileSync(list, 'utf8').replaceAll('\\\n', ' ').split(/\s+/).slice(1);
  return [source, 'scripts/build-emulation.mjs', ...parts.filter(Boolean)].some((name) => {
    const path = name.startsWith('/') ? name : join(root, name);
    return !existsSync(path) || statSync(path).mtimeMs > made;
  });
}

function run(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(compiler, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', reject);
    child.on('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`${compiler} ${args.at(-1)} failed`)),
    );
  });
}

mkdirSync(out, { recursive: true });
const queue = units.filter(stale);
const compiled = queue.length;
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let unit = queue.shift(); unit; unit = queue.shift()) {
      if (!quiet) console.log(unit.source);
      await run([
        ...unit.flags,
        '-MD',
        '-MF',
        `${unit.object}.d`,
        '-o',
        unit.object,
        '-c',
        unit.source,
      ]);
    }
  }),
);
const objects = [...units.map(({ object }) => object), '-Wl,-T,test/cuda/emulation/link.ld'];
if (program >= 0) await run(['-o', executable, ...objects]);
else if (compiled > 0 || !existsSync(target))
  await run(['-shared', '-o', target, ...objects, '-Wl,-z,nodelete', '-Wl,--no-undefined']);

// Compiles every kernel by nvcc and says what ptxas made of it: registers, shared memory, stack, spills.
//
//   node scripts/cuda-report.mjs [--arch=80,86,89,90,100,120] [--write] [--seconds=S] [--jobs=N] [NAME…]
//
// With --seconds it begins with what changed last in git, and leaves out what it has not begun by then.
// Fails on a warning, on a spill, on a stack in local memory, and where a kernel that moves memory has no access of 16 bytes in its PTX.
// --write puts the table into docs/cuda-kernels.md, with the architectures that were compiled. NAME…: these ops only.
// What was compiled is kept in build/cuda-report and taken from there until a file that it was made of changes: so it can be stopped
// and run again. Without nvcc it says so and does nothing.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'build', 'cuda-report');
const nvcc = process.env.NVCC ?? 'nvcc';
const option = (name) =>
  process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);
const architectures = (option('arch') ?? '80,86,89,90,100,120').split(',');
const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const ops = readdirSync(join(root, 'cuda', 'ops'))
  .filter((file) => file.endsWith('.cu'))
  .map((file) => file.slice(0, -3))
  .filter((name) => named.length === 0 || named.includes(name))
  .sort();

/** Ops limited by memory: at least one kernel of each loads, and one stores, by 16 bytes. */
const wideOps = [
  ...['unary', 'unary_grad', 'binary', 'where', 'affine_scalar', 'activation_grad'],
  ...[
    'affine_coupling',
    'affine_coupling_inverse',
    'affine_coupling_grad',
    'affine_coupling_inverse_grad',
  ],
  ...['autoregressive_affine', 'autoregressive_affine_inverse', 'autoregressive_affine_grad'],
  ...[
    'autoregressive_affine_inverse_grad',
    'channel_affine',
    'channel_affine_grad',
    'adam',
    'sgd',
    'ema',
  ],
].filter((name) => ops.includes(name));

const common = ['-std=c++20', '-O3', '-DFLOW_ISA=cuda', '-I.', '-Inative', '-Xcompiler', '-Wall'];

if (spawnSync(nvcc, ['--version']).status !== 0) {
  console.log(`no nvcc (${nvcc}): the kernels are not compiled for GPUs here; NVCC names one`);
  process.exit(0);
}

function run(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(nvcc, args, { cwd: root });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data) => {
      stdout += data;
    });
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    child.on('error', reject);
    child.on('exit', (code) => resolve({ code, stdout, stderr }));
  });
}

/** The files that an op is made of, of this checkout. */
function parts(file, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, name] of readFileSync(join(root, file), 'utf8').matchAll(
    /^\s*#\s*include\s+"([^"]+)"/gm,
  ))
    for (const path of [name, `native/${name}`])
      if (existsSync(join(root, path))) parts(path, seen);
  return seen;
}
/** Without comments: what these say changes no kernel. Strings are kept as they are. */
const codeOf = (text) =>
  text.replace(/"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (piece) =>
    piece[0] === '"' ? piece : ' ',
  );
const hashes = new Map();
function hashOf(op) {
  if (!hashes.has(op)) {
    const hash = createHash('sha256').update(common.join(' '));
    for (const file of [...parts(`cuda/ops/${op}.cu`)].sort())
      hash.update(codeOf(readFileSync(join(root, file), 'utf8')));
    hashes.set(op, hash.digest('hex').slice(0, 16));
  }
  return hashes.get(op);
}

/** What ptxas says of each kernel, or of the PTX: kept by a hash of what it was made of. */
async function kept(op, what, make) {
  const path = join(out, `${op}.${what}.${hashOf(op)}.json`);
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8'));
  const result = await make();
  writeFileSync(path, JSON.stringify(result));
  return result;
}

function kernelsOf(text) {
  const kernels = [];
  for (const line of text.split('\n')) {
    const entry = /Compiling entry function '(\w+)'/.exec(line);
    if (entry) kernels.push({ name: entry[1], registers: 0, shared: 0, stack: 0, spills: 0 });
    const kernel = kernels.at(-1);
    const frame = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(
      line,
    );
    if (frame && kernel) {
      kernel.stack = Math.max(kernel.stack, Number(frame[1]));
      kernel.spills += Number(frame[2]) + Number(frame[3]);
    }
    const used = /Used (\d+) registers/.exec(line);
    if (used && kernel) kernel.registers = Number(used[1]);
    const shared = /(\d+) bytes smem/.exec(line);
    if (shared && kernel) kernel.shared = Number(shared[1]);
  }
  return kernels;
}

async function compile(op, arch) {
  return kept(op, `sm_${arch}`, async () => {
    const args = [
      `-arch=sm_${arch}`,
      '-cubin',
      '-Xptxas',
      '-v',
      '-o',
      '/dev/null',
      `cuda/ops/${op}.cu`,
    ];
    const { code, stderr } = await run([...common, ...args]);
    if (code !== 0) throw new Error(`${op}, sm_${arch}:\n${stderr}`);
    const warnings = stderr.split('\n').filter((line) => /warning/i.test(line));
    return { warnings, kernels: kernelsOf(stderr) };
  });
}

async function widths(op) {
  return kept(op, 'ptx', async () => {
    const { code, stdout, stderr } = await run([
      ...common,
      '-arch=sm_80',
      '-ptx',
      '-o',
      '-',
      `cuda/ops/${op}.cu`,
    ]);
    if (code !== 0) throw new Error(`${op}, PTX:\n${stderr}`);
    const count = (pattern) => [...stdout.matchAll(pattern)].length;
    const wide = '(v4\\.(f32|b32|u32|s32)|v2\\.(f64|b64|u64|s64))';
    return {
      loads: count(new RegExp(`ld\\.global(\\.nc)?(\\.\\w+)*\\.${wide}`, 'g')),
      stores: count(new RegExp(`st\\.global(\\.\\w+)*\\.${wide}`, 'g')),
    };
  });
}

mkdirSync(out, { recursive: true });
/** When the file of each op changed last, of a checkout with its history; 0 where git does not say. */
function ages() {
  const { stdout } = spawnSync('git', ['log', '--format=%ct', '--name-only', '--', 'cuda/ops'], {
    cwd: root,
    encoding: 'utf8',
  });
  const found = new Map();
  let time = 0;
  for (const line of (stdout ?? '').split('\n')) {
    if (/^\d+$/.test(line)) time = Number(line);
    const op = /^cuda\/ops\/(\w+)\.cu$/.exec(line)?.[1];
    if (op && !found.has(op)) found.set(op, time);
  }
  return found;
}

/** The last commit that changed what kernels are made of. */
function commit() {
  const args = ['log', '-1', '--format=%h', '--', 'cuda/ops', 'cuda/core', 'native/math'];
  return spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() || 'unknown';
}

const seconds = Number(option('seconds') ?? Infinity);
const end = performance.now() + 1000 * seconds;
const changed = seconds < Infinity ? ages() : new Map();
const inOrder = ops.toSorted((a, b) => (changed.get(b) ?? 0) - (changed.get(a) ?? 0));
const tasks = inOrder.flatMap((op) => [
  ...architectures.map((arch) => ({ op, arch })),
  ...(wideOps.includes(op) ? [{ op, arch: null }] : []),
]);
const compiled = new Map(ops.map((op) => [op, new Map()]));
const wide = new Map();
const problems = [];
const queue = [...tasks];
await Promise.all(
  Array.from({ length: Number(option('jobs') ?? availableParallelism()) }, async () => {
    for (let task = queue.shift(); task; task = queue.shift()) {
      if (performance.now() > end) break;
      const { op, arch } = task;
      if (arch === null) wide.set(op, await widths(op));
      else compiled.get(op).set(arch, await compile(op, arch));
    }
  }),
);

for (const [op, byArch] of compiled)
  for (const [arch, { warnings, kernels }] of byArch) {
    for (const warning of warnings) problems.push(`${op}, sm_${arch}: ${warning}`);
    for (const { name, stack, spills } of kernels)
      if (stack > 0 || spills > 0)
        problems.push(`${op}, sm_${arch}: ${name}: stack of ${stack} bytes, spills of ${spills}`);
  }
for (const [op, { loads, stores }] of wide)
  if (loads === 0 || stores === 0)
    problems.push(`${op}: ${loads} loads and ${stores} stores of 16 bytes in its PTX`);

const leftOut = ops.filter((op) => compiled.get(op).size < architectures.length);
const done = ops.filter((op) => !leftOut.includes(op));
for (const arch of architectures)
  if (done.length > 0 && done.every((op) => compiled.get(op).get(arch).kernels.length === 0))
    problems.push(`sm_${arch}: ptxas named no kernel`);

const most = (kernels, key) => kernels.reduce((value, kernel) => Math.max(value, kernel[key]), 0);
const rows = done.map((op) => {
  const all = [...compiled.get(op).values()].flatMap(({ kernels }) => kernels);
  const registers = architectures.map((arch) =>
    most(compiled.get(op).get(arch).kernels, 'registers'),
  );
  const count = compiled.get(op).get(architectures[0]).kernels.length;
  const { loads, stores } = wide.get(op) ?? {};
  const width = loads === undefined ? '' : `${loads} / ${stores}`;
  return `| ${op} | ${count} | ${registers.join(' | ')} | ${most(all, 'shared')} | ${most(all, 'stack')} | ${most(all, 'spills')} | ${width} |`;
});
const table = [
  `| op | kernels | ${architectures.map((arch) => `sm_${arch}`).join(' | ')} | static shared | stack | spills | 16-byte loads / stores |`,
  `|---|---|${architectures.map(() => '---|').join('')}---|---|---|---|`,
  ...rows,
].join('\n');

if (process.argv.includes('--write') && leftOut.length === 0) {
  const version = /release ([\d.]+)/.exec(
    spawnSync(nvcc, ['--version'], { encoding: 'utf8' }).stdout,
  )?.[1];
  writeFileSync(
    join(root, 'docs', 'cuda-kernels.md'),
    `# What ptxas made of the kernels

Written by \`node scripts/cuda-report.mjs --write\` (nvcc ${version}) of the kernels at commit ${commit()}. A column sm_… holds the most registers that a kernel of the op takes on that
architecture; stack and spills are bytes, the most of any kernel; the last column counts accesses of 16 bytes in the PTX of ops that
memory limits. Shared memory is dynamic: see the launches.

${table}
`,
  );
} else {
  console.log(table);
}
console.log(
  `${done.length} ops for ${architectures.length} architectures, ${problems.length} problems`,
);
if (leftOut.length > 0) console.log(`left out after ${seconds} s: ${leftOut.join(', ')}`);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;

/** The order of the layers: who may import whom, and a search for what breaks it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';

/**
 * Who may import whom (the plan of the house). A layer may use those of the ranks before it; layers of
 * one rank may use each other as long as they do not do so in a circle.
 */
const TYPESCRIPT_RANKS: readonly (readonly string[])[] = [
  ['errors', 'dtype', 'shape', 'options'],
  ['native', 'io'],
  ['tensor', 'runtime'],
  ['autograd'],
  ['ops'],
  ['nn'],
  ['bijections'],
  ['distributions'],
  ['flows'],
  ['models'],
  ['train', 'data', 'plot'],
  ['cli', 'index'],
];

const CPP_RANKS: readonly (readonly string[])[] = [
  ['core'],
  ['math', 'reference'],
  ['simd'],
  ['ops'],
  ['binding'],
];

/** Packages that one layer alone may use. */
const OWNED_PACKAGES: Readonly<Record<string, string>> = { 'node-gyp-build': 'native' };

/** Layers compiled once per instruction set. What they include must define no inline library code. */
const ISA_LAYERS: readonly string[] = ['math', 'simd', 'ops'];
const ISA_SYSTEM_HEADERS =
  /^(std(int|def|arg|bool)\.h|math\.h|float\.h|limits\.h|string\.h|[a-z0-9]*mmintrin\.h|immintrin\.h|arm_neon\.h)$/;

type Edge = { file: string; from: string; to: string; target: string };

function filesOf(root: string, folder: string, endings: readonly string[]): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

/** The first folder below `base`, or the file's own name where it lies in `base` itself. */
function layerOf(path: string, base: string): string {
  const inner = posix.relative(base, path).split('/');
  return inner.length > 1 ? (inner[0] ?? '') : (inner[0] ?? '').replace(/\.\w+$/, '');
}

function rankOf(ranks: readonly (readonly string[])[], layer: string): number {
  return ranks.findIndex((rank) => rank.includes(layer));
}

function importsOf(text: string): string[] {
  const pattern =
    /(?:\bfrom\s+|\bimport\s+|\bimport\s*\(\s*|\brequire(?:\.resolve)?\s*\(\s*)(['"])([^'"]+)\1/g;
  return [...withoutComments(text).matchAll(pattern)].map((match) => match[2] ?? '');
}

/** Breaks of the order by edges between layers: an unknown layer, an upward edge, a circle in a rank. */
function breaks(edges: readonly Edge[], ranks: readonly (readonly string[])[]): string[] {
  const found: string[] = [];
  const sideways = new Map<string, Map<string, string>>();
  for (const { file, from, to, target } of edges) {
    const [low, high] = [rankOf(ranks, to), rankOf(ranks, from)];
    if (low < 0 || high < 0) {
      found.push(`${file}: layer ${low < 0 ? to : from} has no rank`);
    } else if (low > high) {
      found.push(`${file}: ${from} may not use ${to} (${target})`);
    } else if (low === high && from !== to) {
      if (!sideways.has(from)) sideways.set(from, new Map());
      sideways.get(from)?.set(to, `${file} uses ${target}`);
    }
  }
  for (const start of sideways.keys()) {
    const stack = [start];
    const seen = new Set<string>();
    while (stack.length > 0) {
      for (const next of sideways.get(stack.pop() ?? '')?.keys() ?? []) {
        if (next === start) found.push(`circle of layers of one rank through ${start}`);
        if (next === start || seen.has(next)) continue;
        seen.add(next);
        stack.push(next);
      }
    }
  }
  return found;
}

/** What breaks the order of the layers of lib/ under `root`, one sentence each. */
export function typescriptViolations(root: string): string[] {
  const found: string[] = [];
  const edges: Edge[] = [];
  for (const file of filesOf(root, 'lib', ['.ts'])) {
    const from = layerOf(file, 'lib');
    if (rankOf(TYPESCRIPT_RANKS, from) < 0) found.push(`${file}: layer ${from} has no rank`);
    for (const name of importsOf(readFileSync(join(root, file), 'utf8'))) {
      const owner = OWNED_PACKAGES[name];
      if (owner !== undefined && owner !== from)
        found.push(`${file}: only ${owner} may use ${name}`);
      if (!name.startsWith('.')) continue;
      const target = posix.join(posix.dirname(file), name);
      // A folder's own index stands for the folder: lib/tensor is the layer tensor.
      if (!target.startsWith('lib/')) {
        // Data of the package itself (package.json) is no layer.
        if (!target.endsWith('.json')) found.push(`${file}: imports ${name}, outside of lib`);
        continue;
      }
      edges.push({ file, from, to: layerOf(target, 'lib'), target });
    }
  }
  return [...found, ...breaks(edges, TYPESCRIPT_RANKS)];
}

/** The headers that a file includes: `project` by quotes, `system` by angle brackets. */
function includesOf(text: string): { project: string[]; system: string[] } {
  const plain = withoutComments(text);
  const all = (pattern: RegExp) => [...plain.matchAll(pattern)].map((match) => match[1] ?? '');
  return {
    project: all(/^\s*#\s*include\s+"([^"]+)"/gm),
    system: all(/^\s*#\s*include\s+<([^>]+)>/gm),
  };
}

/** What breaks the order of the layers of native/ under `root`, one sentence each. */
export function cppViolations(root: string): string[] {
  const found: string[] = [];
  const edges: Edge[] = [];
  const files = filesOf(root, 'native', ['.cc', '.h', '.def', '.inc']);
  const includes = new Map<string, ReturnType<typeof includesOf>>();
  for (const file of files) {
    const listed = includesOf(readFileSync(join(root, file), 'utf8'));
    const from = layerOf(file, 'native');
    const project = listed.project.map((name) => {
      // "core/op.h" is relative to native/, "vec.h" to the file itself.
      const beside = posix.join(posix.dirname(file), name);
      return files.includes(beside) ? beside : posix.join('native', name);
    });
    includes.set(file, { project, system: listed.system });
    for (const target of project) {
      if (target.startsWith('native/')) {
        edges.push({ file, from, to: layerOf(target, 'native'), target });
      } else {
        found.push(`${file}: includes ${target}, outside of native`);
      }
    }
    for (const name of listed.system) {
      if (/^n(ode_)?api\.h$|^js_native_api/.test(name) && from !== 'binding') {
        found.push(`${file}: only binding may include ${name}`);
      }
      if (/^(cuda|cublas|curand|nccl)\w*\.h$/.test(name)) {
        found.push(`${file}: CUDA headers belong under cuda/`);
      }
    }
  }

  // Everything that an instruction-set file reaches through its includes.
  for (const file of files) {
    if (!file.endsWith('.cc') || !ISA_LAYERS.includes(layerOf(file, 'native'))) continue;
    const reached = new Set<string>();
    const queue = [file];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (reached.has(next)) continue;
      reached.add(next);
      for (const name of includes.get(next)?.system ?? []) {
        if (!ISA_SYSTEM_HEADERS.test(name)) {
          const by = next === file ? '' : ` by way of ${next}`;
          found.push(`${file}: includes <${name}>${by}: compiled once an instruction set`);
        }
      }
      queue.push(...(includes.get(next)?.project ?? []));
    }
  }
  return [...found, ...breaks(edges, CPP_RANKS)];
}

/** native/core, native/math, and what an op reads for either device (native/ops/operands.h, …_operands.h, …_graph.h) → cuda/core → cuda/ops. */
const CUDA_RANKS: readonly (readonly string[])[] = [['native'], ['core'], ['ops']];
/** What kernels may have besides: the rest is inline assembly inside, which the emulation cannot run, or JavaScript's. */
const CUDA_SYSTEM_HEADERS =
  /^(cuda_runtime\.h|std(int|def|arg)\.h|math\.h|type_traits|initializer_list)$/;

/** Whether a file of cuda/ includes another, itself or by what it includes. */
function reaches(root: string, file: string, wanted: string): boolean {
  const seen = new Set([file]);
  for (const next of seen) {
    if (next === wanted) return true;
    const { project } = includesOf(readFileSync(join(root, next), 'utf8'));
    for (const target of project) if (existsSync(join(root, target))) seen.add(target);
  }
  return false;
}

/** What breaks the order of the layers of cuda/ under `root`, one sentence each. */
export function cudaViolations(root: string): string[] {
  const found: string[] = [];
  const edges: Edge[] = [];
  const files = filesOf(root, 'cuda', ['.cu', '.cc', '.h']);
  for (const file of files) {
    const from = layerOf(file, 'cuda');
    const { project, system } = includesOf(readFileSync(join(root, file), 'utf8'));
    for (const target of project) {
      const isOwn = target.startsWith('cuda/');
      const isShared =
        /^(core|math)\/|^ops\/(registry\.def|operands\.h|\w+_(graph|operands)\.h)$/.test(target);
      const isControl = target === 'emulation_control.h' && file === 'cuda/core/plugin.cc';
      if (isOwn || isShared) {
        edges.push({ file, from, to: isOwn ? layerOf(target, 'cuda') : 'native', target });
      } else if (!isControl) {
        found.push(
          `${file}: includes ${target}, which is of neither cuda/ nor native/core or math`,
        );
      }
    }
    const isHost = file.endsWith('.cc');
    for (const name of system) {
      if (/^n(ode_)?api\.h$|^cublas|^cub\/|^thrust\//.test(name))
        found.push(`${file}: <${name}> has no place under cuda/`);
      else if (!isHost && !CUDA_SYSTEM_HEADERS.test(name))
        found.push(`${file}: <${name}> is not for kernels`);
    }
    if (file.endsWith('.cc') && reaches(root, file, 'cuda/core/scalar.h'))
      found.push(`${file}: cuda/core/scalar.h is for nvcc, which compiles no .cc`);
    if (/\basm\b\s*(volatile)?\s*\(/.test(withoutComments(readFileSync(join(root, file), 'utf8'))))
      found.push(`${file}: no inline PTX: the emulation could not run it`);
  }
  return [...found, ...breaks(edges, CUDA_RANKS)];
}

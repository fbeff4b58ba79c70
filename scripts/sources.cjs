'use strict';
// What both native builds have in common. binding.gyp and CMakeLists.txt call
//
//   node scripts/sources.cjs core         sources compiled once, for the compiler's baseline:
//                                         native/core, native/reference, native/binding
//   node scripts/sources.cjs isa          sources compiled once an instruction set: native/simd,
//                                         native/ops/table.cc and one file for each row
//                                         FLOW_OP(name) of native/ops/registry.def
//   node scripts/sources.cjs flags SET    compiler flags of core, sse2, avx2, avx512 or neon
//   node scripts/sources.cjs sets ARCH    the instruction sets built for x64 or arm64
//
// and get one item a line, sources relative to the package root. An op is added by its file and
// its row: neither build file is edited.

const { existsSync, readdirSync, readFileSync } = require('node:fs');
const { join } = require('node:path');

/** The instruction sets of each architecture, weakest first. */
const SETS = { x64: ['sse2', 'avx2', 'avx512'], arm64: ['neon'] };

const SET_FLAGS = {
  sse2: ['-msse2'],
  avx2: ['-mavx2', '-mfma', '-mf16c'],
  // GCC prefers 256-bit vectors for some AVX-512 tunings: the kernels are written for 512.
  avx512: [
    ...['-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mavx2', '-mfma', '-mf16c'],
    '-mprefer-vector-width=512',
  ],
  neon: [],
};

/** The `.cc` files of one folder, sorted so that every build sees the same order. */
function folder(root, name) {
  const path = join(root, name);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((file) => file.endsWith('.cc'))
    .sort()
    .map((file) => `${name}/${file}`);
}

/** The op names of registry.def, in the order of its rows (which is the order of the opcodes). */
function opNames(root) {
  const names = [];
  for (const line of readFileSync(join(root, 'native/ops/registry.def'), 'utf8').split('\n')) {
    const row = /^\s*FLOW_OP\(\s*(\w+)/.exec(line);
    if (row === null) continue;
    if (names.includes(row[1])) {
      throw new Error(`[sources] native/ops/registry.def: ${row[1]} has two rows: remove one`);
    }
    names.push(row[1]);
  }
  return names;
}

function coreSources(root) {
  return ['core', 'reference', 'binding'].flatMap((name) => folder(root, `native/${name}`));
}

function isaSources(root) {
  const ops = ['native/ops/table.cc', ...opNames(root).map((name) => `native/ops/${name}.cc`)];
  for (const file of ops) {
    if (!existsSync(join(root, file))) {
      throw new Error(`[sources] ${file} is missing: write it or remove its row of registry.def`);
    }
  }
  for (const file of folder(root, 'native/ops')) {
    if (!ops.includes(file)) {
      throw new Error(`[sources] ${file} has no row in native/ops/registry.def: add FLOW_OP(name)`);
    }
  }
  return [...folder(root, 'native/simd'), ...ops];
}

/**
 * Compiler flags without the optimisation level, which belongs to the configuration (Release, Debug).
 * FLOW_WERROR=1 in the environment turns warnings into errors.
 */
function flags(set, platform = process.platform, env = process.env) {
  if (set !== 'core' && SET_FLAGS[set] === undefined) {
    throw new Error(`[sources] flags: expected core, sse2, avx2, avx512 or neon, got ${set}`);
  }
  const machine = SET_FLAGS[set] ?? [];
  const isa = set === 'core' ? [] : [`-DFLOW_ISA=${set}`];
  // a*b + c may become one fma; nothing else of -ffast-math: NaN, infinities and the order of sums keep.
  const math = ['-ffp-contract=fast', '-fno-math-errno', '-fno-trapping-math'];
  if (platform === 'win32') {
    // clang-cl: its -Wall means -Weverything, and it takes clang's own flags behind /clang:
    const own = [...math, '-fno-strict-aliasing', ...machine].map((flag) => `/clang:${flag}`);
    const werror = env.FLOW_WERROR === '1' ? ['/WX'] : [];
    const exceptions = set === 'core' ? ['/EHsc'] : [];
    return ['/std:c++20', '/W4', ...werror, '/GR-', ...exceptions, ...own, ...isa];
  }
  return [
    ...['-std=c++20', '-Wall', '-Wextra', ...(env.FLOW_WERROR === '1' ? ['-Werror'] : [])],
    ...[...math, '-fno-strict-aliasing', '-fvisibility=hidden', '-fno-rtti', '-fPIC', '-pthread'],
    ...(set === 'core' ? ['-fexceptions'] : ['-fno-exceptions']),
    ...[...isa, ...machine],
  ];
}

module.exports = { SETS, coreSources, flags, isaSources, opNames };

if (require.main === module) {
  const root = join(__dirname, '..');
  const [what, argument] = process.argv.slice(2);
  const lists = {
    core: () => coreSources(root),
    isa: () => isaSources(root),
    flags: () => flags(argument),
    sets: () => SETS[argument] ?? [],
  };
  try {
    if (lists[what] === undefined) throw new Error('[sources] expected core, isa, flags or sets');
    process.stdout.write(`${lists[what]().join('\n')}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

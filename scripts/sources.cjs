'use strict';
// The one source list of both builds. binding.gyp and CMakeLists.txt call
// `node scripts/sources.cjs core|isa` and get paths relative to the package root, one a line.
//
//   core  compiled once, with the compiler's baseline: native/core, native/binding
//   isa   compiled once an instruction set: native/simd, native/ops/table.cc and one file for
//         each row FLOW_OP(name) of native/ops/registry.def
//
// An op is added by its file and its row; neither build file is edited.

const { existsSync, readdirSync, readFileSync } = require('node:fs');
const { join } = require('node:path');

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
  const text = readFileSync(join(root, 'native/ops/registry.def'), 'utf8');
  const names = [];
  for (const line of text.split(/\r?\n/)) {
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
  return [...folder(root, 'native/core'), ...folder(root, 'native/binding')];
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

module.exports = { coreSources, isaSources, opNames };

if (require.main === module) {
  const root = join(__dirname, '..');
  const lists = { core: coreSources, isa: isaSources };
  const list = lists[process.argv[2]];
  if (list === undefined) {
    process.stderr.write('[sources] list: expected core or isa\n');
    process.exit(2);
  }
  try {
    process.stdout.write(`${list(root).join('\n')}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

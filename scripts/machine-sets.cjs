'use strict';
// The instruction sets that this machine can run, weakest first.

const { readFileSync } = require('node:fs');
const { SETS } = require('./sources.cjs');

const CPU_FLAGS = {
  sse2: ['sse2'],
  avx2: ['avx2', 'fma', 'f16c'],
  avx512: ['avx512f', 'avx512bw', 'avx512dq', 'avx512vl'],
};

/** On x64 the sets beyond SSE2 are read from /proc/cpuinfo: elsewhere only the weakest is known. */
function machineSets() {
  const sets = SETS[process.arch] ?? [];
  if (process.arch !== 'x64') return sets;
  if (process.platform !== 'linux') return sets.slice(0, 1);
  const flags = new Set(
    /^flags\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))[1].split(' '),
  );
  return sets.filter((set) => CPU_FLAGS[set].every((flag) => flags.has(flag)));
}

module.exports = { machineSets };

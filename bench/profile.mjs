// npm run -s bench:profile -- [--threads N] [--seconds S] [--instructions] case…
//
// Where the time of a recorded step goes: each of its instructions by itself, in the order of the step and on its own
// operands, on one thread and on N in turns. One line an op with the times of all its instructions (medians, microseconds), how
// often it runs, and what the threads bring (`scale`); with --instructions one line for each, with the shapes of its operands.
// The sum is a little more than the step: between two instructions is a call.
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import flow from '../dist/index.js';
import { allCases, chosenCases } from './cases/all.mjs';

const require = createRequire(import.meta.url);
const { native } = require('../dist/native.js');

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '3' },
    instructions: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});
if (options.list || positionals.length === 0) {
  for (const { name } of allCases) console.log(name);
  process.exit(0);
}
const threads = Number(options.threads);

const headerWords = 4;
const operandWords = 6;

/** The instructions of a program's words, one after the other. */
function instructionsOf(program) {
  const found = [];
  for (let at = 0; at < program.length; ) {
    const [op, inputs, outputs, attributes] = program.subarray(at, at + headerWords);
    const end = at + headerWords + operandWords * (inputs + outputs) + attributes;
    const words = program.slice(at, end);
    const shapes = Array.from({ length: inputs + outputs }, (_, k) => {
      const [handle, , , rows, cols] = words.subarray(headerWords + operandWords * k);
      return handle === 0 ? '–' : `${rows}×${cols}`;
    });
    const operands = `${shapes.slice(0, inputs).join(' ')} → ${shapes.slice(inputs).join(' ')}`;
    found.push({ op: native.ops[op], operands, words });
    at = end;
  }
  return found;
}

/** What `run` hands to the native side, once. */
function recordedPrograms(run) {
  const { runProgram } = native;
  const programs = [];
  native.runProgram = (words, ...rest) => {
    programs.push(words.slice());
    return runProgram(words, ...rest);
  };
  try {
    run();
  } finally {
    native.runProgram = runProgram;
  }
  return programs;
}

const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];

function profile(one) {
  const made = one.setUp();
  const run = typeof made === 'function' ? made : made.run;
  for (let k = 0; k < 3; k++) run();
  const instructions = recordedPrograms(run).flatMap(instructionsOf);
  const times = instructions.map(() => ({ 1: [], [threads]: [] }));
  const end = performance.now() + 1000 * Number(options.seconds);
  while (performance.now() < end) {
    for (const count of new Set([1, threads])) {
      flow.setThreads(count);
      for (let repetition = 0; repetition < 4; repetition++) {
        instructions.forEach(({ words }, k) => {
          const start = process.hrtime.bigint();
          native.runProgram(words);
          if (repetition > 0) times[k][count].push(Number(process.hrtime.bigint() - start) / 1e3);
        });
      }
    }
  }
  const rows = new Map();
  instructions.forEach(({ op, operands }, k) => {
    const key = options.instructions ? `${String(k).padStart(4)} ${op} ${operands}` : op;
    const row = rows.get(key) ?? { times: 0, one: 0, all: 0 };
    row.times++;
    row.one += median(times[k][1]);
    row.all += median(times[k][threads]);
    rows.set(key, row);
  });
  const sorted = [...rows];
  if (!options.instructions) sorted.sort(([, a], [, b]) => b.all - a.all);
  const total = { times: instructions.length, one: 0, all: 0 };
  for (const [, row] of sorted) {
    total.one += row.one;
    total.all += row.all;
  }
  console.log(`${one.name}\n      1 thread  ${threads} threads  scale  times`);
  for (const [name, row] of [...sorted, ['all', total]]) {
    const number = (value, width) => value.toFixed(1).padStart(width);
    console.log(
      `${number(row.one, 14)}${number(row.all, 11)}${(row.one / row.all).toFixed(2).padStart(7)}${String(row.times).padStart(7)}  ${name}`,
    );
  }
}

for (const one of chosenCases(positionals)) profile(one);

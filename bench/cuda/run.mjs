// npm run -s bench:cuda -- [--json] [--seconds S] [--no-peers] [case…]
//
// With a GPU: its ceilings (a copy, products by cuBLAS), then every kernel, then the steps of the flows, beside PyTorch where python3 can
// import one that sees the GPU. Without: one line says so, and the static report follows (static.mjs).
import { parseArgs } from 'node:util';
import flow from '../../dist/index.js';
import { timeGpu } from './gpu.mjs';
import { reportStatically } from './static.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '1' },
    'no-peers': { type: 'boolean', default: false },
    // Goes through all of it over the host emulation, whose times mean nothing: a test of the bench.
    emulated: { type: 'boolean', default: false },
  },
});

function print(line) {
  if (options.json) {
    console.log(JSON.stringify(line));
    return;
  }
  const word = (value) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
  console.log(
    Object.entries(line)
      .map(([key, value]) => `${key} ${word(value)}`)
      .join('  '),
  );
}

const gpu = flow.backends().find(({ name }) => name === 'cuda');
const isEmulation = gpu.description.startsWith('host emulation');
if (gpu.available && isEmulation === options.emulated) {
  print({ gpu: gpu.description });
  const settings = { ...options, seconds: Number(options.seconds), peers: !options['no-peers'] };
  await timeGpu(settings, positionals, print);
} else {
  console.error(`no GPU, so nothing is timed: ${gpu.description}`);
  await reportStatically(print);
}

// Times of a GPU: by events in the stream, after L2 was overwritten, medians. What the host adds does not count: the device is busy with
// the overwriting while the work is written into the stream.
import flow from '../../dist/index.js';
import { convolutionCases } from '../cases/convolutions.mjs';
import { flowCases } from '../cases/flows.mjs';
import { kernelCases } from '../cases/kernels.mjs';
import { linearAlgebraCases } from '../cases/linearAlgebra.mjs';
import { pixelCases } from '../cases/pixels.mjs';
import { sequenceCases } from '../cases/sequences.mjs';
import { byKernels, matrix, native, words } from '../instruction.mjs';
import { startPeers, torchVersion } from '../peers.mjs';
import { timeStrips } from './strips.mjs';

/** The kernels that have a row in the CPU's bench, with what they cost. */
export const kernelRows = [
  ...kernelCases,
  ...convolutionCases,
  ...linearAlgebraCases,
  ...sequenceCases,
  ...pixelCases,
].filter(({ op, cost }) => op && (cost?.bytes || cost?.flops));

/** The cases of the flows that are one call on the device: training steps, scores, samples. */
const flowRows = flowCases.filter(({ name }) => /:(step|logProb|sample\d+)$/.test(name));

const median = (times) => [...times].sort((a, b) => a - b)[times.length >> 1];

/** Milliseconds of the device that `run` takes, again and again for some seconds. */
function eventTimes(run, seconds, flushBytes) {
  const times = [];
  const end = performance.now() + 1000 * seconds;
  for (let k = 0; k < 5 || (performance.now() < end && k < 1000); k++) {
    native.cudaSet('flush', flushBytes);
    native.cudaSet('clockStart', 1);
    run();
    native.cudaSet('clockStop', 1);
    const ms = native.cudaGet('clockMs');
    if (k > 1) times.push(ms); // the first ones load code and take memory
  }
  return times;
}

/** What the device does at most: GB/s of a copy by CUDA, TFLOP/s of products by cuBLAS. */
function ceilings({ seconds, emulated }) {
  const bytes = emulated ? 1 << 16 : 1 << 28;
  const copy = eventTimes(() => native.cudaSet('copy', bytes), seconds, 4 * bytes);
  const found = { copyGBs: (2 * bytes) / median(copy) / 1e6 };
  const product = (side, dtype) => {
    const operands = [0, 1, 2].map(() => matrix(side, side, { dtype, fill: (i) => (i % 7) - 3 }));
    const run = byKernels(words('matmul', operands.slice(0, 2), operands.slice(2), [0, 0]));
    const ms = median(eventTimes(run, seconds, bytes));
    for (const each of operands) each.dispose();
    return (2 * side ** 3) / ms / 1e9;
  };
  const side = emulated ? 64 : 4096;
  found.float32TFlops = product(side, 'float32');
  flow.allowTf32(true);
  found.tf32TFlops = product(side, 'float32');
  flow.allowTf32(false);
  found.float64TFlops = product(side / 2, 'float64');
  return found;
}

function timeKernel(row, { seconds, emulated }, ceiling) {
  const made = row.setUp();
  try {
    const run = typeof made === 'function' ? made : made.run;
    const flush = emulated ? 1 << 16 : 1 << 28; // beyond the L2 of any
    const times = eventTimes(run, Math.min(seconds, 0.5), flush);
    const ms = median(times);
    const { bytes, flops } = row.cost;
    const gemm = row.name.includes('f64') ? ceiling.float64TFlops : ceiling.float32TFlops;
    return {
      kernel: row.name.replace(/^kernel:/, ''),
      us: 1000 * ms,
      leastUs: 1000 * Math.min(...times),
      ...(flops
        ? { tflops: flops / ms / 1e9, ofGemm: flops / ms / 1e9 / gemm }
        : { gbs: bytes / ms / 1e6, ofCopy: bytes / ms / 1e6 / ceiling.copyGBs }),
    };
  } finally {
    row.dispose?.();
  }
}

/** Launches so far, those that were written into graphs with them. */
export const launches = () => {
  const captured = native.cudaGet('captured'); // the emulation counts these apart
  return native.cudaGet('launches') + (Number.isNaN(captured) ? 0 : captured);
};

/** Of a flow: the time of a call as its caller sees it, and the device's. */
async function timeFlow(row, { seconds, peers, emulated }, torch, print) {
  const made = row.setUp();
  const run = typeof made === 'function' ? made : made.run;
  run(); // records the step
  const before = launches();
  run(); // makes its graph
  const count = launches() - before;
  const wall = [];
  const end = performance.now() + 1000 * seconds;
  while (wall.length < 3 || (performance.now() < end && wall.length < 2000)) {
    const start = performance.now();
    run();
    wall.push(performance.now() - start);
  }
  const device = eventTimes(run, seconds, emulated ? 1 << 10 : 1 << 20);
  const ms = median(wall);
  print({ case: row.name, ms, deviceMs: median(device), launches: count, runs: wall.length });
  if (!peers || !torch || !row.peer) return;
  for (const peer of await startPeers(row.peer, 4, 'cuda')) {
    const theirs = median(await peer.run(Math.max(5, Math.min(200, Math.round(1000 / ms)))));
    peer.quit();
    const name = `${peer.name} (torch ${torch})`;
    print({ case: row.name, peer: name, ms: theirs, ratio: theirs / ms });
  }
}

export async function timeGpu(settings, named, print) {
  flow.setDevice('cuda');
  const wanted = ({ name }) => named.length === 0 || named.some((word) => name.startsWith(word));
  const ceiling = ceilings(settings);
  print({ ceiling: 'measured', ...ceiling });
  const there = new Set(native.cudaOps());
  for (const row of kernelRows.filter(wanted)) {
    if (!there.has(row.op)) continue;
    try {
      print(timeKernel(row, settings, ceiling));
    } catch (error) {
      print({ kernel: row.name, failed: error.message });
    }
  }
  const flush = settings.emulated ? 1 << 16 : 1 << 28;
  const time = (run) => 1000 * median(eventTimes(run, Math.min(settings.seconds, 0.3), flush));
  timeStrips(settings, wanted, time, print);
  const torch = settings.peers ? torchVersion('cuda') : null;
  if (settings.peers && !torch) console.error('no peers: python3 has no torch that sees the GPU');
  for (const row of flowRows.filter(wanted)) {
    try {
      await timeFlow(row, settings, torch, print);
    } catch (error) {
      print({ case: row.name, failed: error.message });
    }
  }
}

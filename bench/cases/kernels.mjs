// One row a kernel: what it costs, counted in the comment, and its operands. Each is run against its plain loop
// (native/reference: one thread, compiled without vector instructions) and against what the machine can do at most,
// measured between the turns: fused multiply-adds for products, copy or triad over as many bytes for the rest.
// bench/README.md says how to read the numbers.
import { native, peakKinds } from '../instruction.mjs';
import { elementwise, moves, optimizers, random, sums } from './kernels/elementwise.mjs';
import { linearAlgebra } from './kernels/linearAlgebra.mjs';
import { affine, coupling, increasing } from './kernels/maps.mjs';
import { incremental, maskedLayer, mlps, products } from './kernels/products.mjs';
import { H, N } from './kernels/sizes.mjs';

export { kernel } from './kernels/kernel.mjs';

/** What the machine can do at most. */
function peakCase(name, kind, bytes, unit) {
  let best = 0;
  return {
    name: `peak:${name}`,
    setUp: () => () => {
      best = Math.max(best, native.measurePeak(peakKinds[kind], bytes));
    },
    rates: () => ({ [unit]: best }),
  };
}

const peaks = [
  peakCase('fma-f32', 'fma-f32', 0, 'gflops'),
  peakCase('fma-f64', 'fma-f64', 0, 'gflops'),
  ...['copy', 'triad', 'update'].flatMap((kind) =>
    [
      ['32KiB', 2 ** 15],
      ['1MiB', 2 ** 20],
      ['256MiB', 2 ** 28],
    ].map(([label, bytes]) => peakCase(`${kind} ${label}`, kind, bytes, 'gbs')),
  ),
];

const gemm = products.find(({ name }) => name === `kernel:linear ${N}x${H}x${H}`);

export const kernelCases = [
  ...peaks,
  // The two rows that have a goal: ≥ 75 % of the peak on one thread; ≤ 0.6 of dense.
  { ...gemm, name: `gemm:${N}x${H}x${H}`, threads: 1 },
  maskedLayer(),
  ...products,
  ...mlps,
  ...linearAlgebra,
  ...incremental,
  ...affine,
  ...increasing,
  ...coupling,
  ...elementwise,
  ...sums,
  ...moves,
  ...random,
  ...optimizers,
];

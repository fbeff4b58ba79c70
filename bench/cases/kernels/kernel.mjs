// What a row of the kernels is: its cost, its operands, and what it is measured against.
import { byKernels, byPlainLoops, native, peakKinds, words } from '../../instruction.mjs';

/** G-operations or GB a second, and which share of the peak the best run had. */
function rates({ flops, bytes }, ms, { ours, peak }) {
  const amount = flops ?? bytes;
  return {
    [flops ? 'gflops' : 'gbs']: amount / ms / 1e6,
    peak,
    peakShare: amount / ours.min / 1e6 / peak,
  };
}

function probeOf({ flops, bytes = 0, touched = bytes, peak = flops ? 'fma-f32' : 'triad' }) {
  return () => native.measurePeak(peakKinds[peak], touched);
}

/**
 * @param label sizes, behind the name of the op
 * @param make gives [inputs, outputs, attributes]
 * @param cost { flops } or { bytes }, and `peak`, a name of peakKinds: default fma-f32, or triad for bytes; `touched`: bytes
 *   of the arrays, where some of them are read and written
 */
export function kernel(op, label, cost, make, { reference = true } = {}) {
  let operands = [];
  return {
    name: `kernel:${op} ${label}`,
    op,
    cost,
    setUp() {
      operands = make();
      const instruction = words(op, ...operands);
      return {
        run: byKernels(instruction),
        against: reference ? [{ name: 'reference', run: byPlainLoops(instruction) }] : [],
        probe: probeOf(cost),
      };
    },
    rates: (ms, result) => ({
      ...rates(cost, ms, result),
      ...(reference && {
        referenceMs: result.against.reference.median,
        speedup: result.against.reference.median / ms,
      }),
    }),
    dispose() {
      for (const tensor of operands.slice(0, 2).flat()) tensor?.dispose();
    },
  };
}

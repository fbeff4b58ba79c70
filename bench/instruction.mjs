// One native instruction on tensors of its own, as the words that the kernels and the plain loops both run.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { dtypeCode } = require('../dist/dtype.js');
const { native, opcodeOf } = require('../dist/native.js');
const { typedArray } = require('../dist/dtype.js');
const { tensorOfArray } = require('../dist/tensor/tensor.js');

export { native };

// mulberry32: the same numbers in every run.
let state = 20261122;
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

/** A matrix of numbers within ±scale, or of fill(i). */
export function matrix(
  rows,
  cols,
  { dtype = 'float32', scale = 1, fill = () => scale * (2 * random() - 1) } = {},
) {
  const values = typedArray(dtype, rows * cols);
  for (let i = 0; i < values.length; i++) values[i] = fill(i);
  return tensorOfArray(values, [rows, cols]);
}

export const vector = (count, options) => matrix(1, count, options);
/** Well conditioned: 1.5 on the diagonal, 0.3/n beside it, on both sides. */
export const triangle = (n) => matrix(n, n, { fill: (i) => (i % (n + 1) === 0 ? 1.5 : 0.3 / n) });
/** Whole numbers from 0 to limit − 1. */
export const indices = (count, limit) =>
  vector(count, { dtype: 'int32', fill: () => Math.floor(random() * limit) });

function operand(tensor) {
  if (tensor === null) return [0, 0, 0, 0, 0, 0];
  return [
    tensor.storage.handle,
    dtypeCode(tensor.dtype),
    tensor.offset,
    tensor.rows,
    tensor.cols,
    tensor.rowStride,
  ];
}

/** The words of `op` on operands that exist (null: left out). They hold handles only: keep the tensors while they run. */
export function words(op, inputs, outputs, attributes = []) {
  return Float64Array.of(
    ...[opcodeOf(op), inputs.length, outputs.length, attributes.length],
    ...[...inputs, ...outputs].flatMap(operand),
    ...attributes,
  );
}

/** Several instructions one after the other in one call. */
export function program(...instructions) {
  return Float64Array.from(instructions.flatMap((instruction) => [...instruction]));
}

function check(status) {
  if (status !== 0) throw new Error(native.lastError());
}
export const byKernels = (instruction) => () => check(native.runProgram(instruction));
export const byPlainLoops = (instruction) => () => check(native.runReference(instruction));

/** Kinds of native.measurePeak, see native/core/peak.h. */
export const peakKinds = { 'fma-f32': 0, 'fma-f64': 1, copy: 2, triad: 3, update: 4 };

/** Runs every instruction a second time by the plain loops of native/reference and compares. */
import { expect } from 'vitest';
import { type DType, epsilonOf, type TypedArray, typedArray } from '../../lib/dtype';
import { native, words } from '../../lib/native';
import { eps64, expectClose } from '../reference/close';

const dtypes: readonly DType[] = ['float32', 'float64', 'int32', 'uint8'];
const headerWords = 4;
const operandWords = 6;

interface Operand {
  readonly handle: number;
  readonly dtype: DType;
  readonly offset: number;
  readonly rows: number;
  readonly cols: number;
  readonly ld: number;
}

interface Instruction {
  readonly op: string;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
  readonly attributes: readonly number[];
}

function decode(instruction: Float64Array): Instruction {
  const [code = 0, nIn = 0, nOut = 0] = instruction;
  const operands = Array.from({ length: nIn + nOut }, (_, i): Operand => {
    const at = headerWords + i * operandWords;
    const [handle = 0, dtype = 0, offset = 0, rows = 0, cols = 0, ld = 0] =
      instruction.subarray(at);
    return { handle, dtype: dtypes[dtype] as DType, offset, rows, cols, ld };
  });
  return {
    op: native.ops[code] as string,
    inputs: operands.slice(0, nIn),
    outputs: operands.slice(nIn),
    attributes: [...instruction.subarray(headerWords + (nIn + nOut) * operandWords)],
  };
}

const isThere = ({ handle, rows, cols }: Operand) => handle !== 0 && rows * cols > 0;

/** Everything from the first element to the last, gaps between rows included. */
function read(operand: Operand): TypedArray {
  const span = isThere(operand) ? (operand.rows - 1) * operand.ld + operand.cols : 0;
  const values = typedArray(operand.dtype, span);
  if (span > 0) native.read(operand.handle, operand.offset, values);
  return values;
}

function write(operand: Operand, values: TypedArray): void {
  if (isThere(operand)) native.write(operand.handle, operand.offset, values);
}

/** The elements of the matrix, as numbers. */
function elements({ rows, cols, ld }: Operand, span: TypedArray): Float64Array {
  return Float64Array.from({ length: rows * cols }, (_, i) => {
    return span[Math.floor(i / cols) * ld + (i % cols)] as number;
  });
}

/** How far a kernel may be from the plain loop. */
interface Tolerance {
  /** In eps. */
  readonly units: number;
  /** Of each element, or of the largest of the output (default): what cancelled has the rounding of its terms; or of the
   *  largest of the inputs too. */
  readonly of?: 'element' | 'output' | 'inputs';
  /** eps of the output's type (default), or of the least exact type among the operands: the terms of a float64 sum. */
  readonly eps?: 'output' | 'operands';
}

const exact: Tolerance = { units: 0 };
/** Sums of k products in the type, in another order: some k/2 eps in the worst order, as in test/ops/linearCases.ts. */
const sum = (k = 0): Tolerance => ({ units: 8 + k });

const kinds = { sin: 16, cos: 17, normalQuantile: 24, max: 2, sum: 0, mean: 1 };

const incremental = ({ inputs }: Instruction): Tolerance => ({
  ...sum(inputs.reduce((most, { cols }) => Math.max(most, cols), 0) * inputs[0]!.cols),
  eps: 'operands',
});

const network = ({ inputs }: Instruction): Tolerance =>
  sum(inputs.reduce((total, { rows, cols }) => total + Math.max(rows, cols), 0));
const coupling = ({ inputs: [x], attributes: [, , , positions = 1] }: Instruction): Tolerance => ({
  ...sum(x!.cols * positions),
  eps: 'operands',
  // log 2 − softplus(−raw) cancels near raw = 0: its error is one of log 2.
  of: 'inputs',
});
const couplingGradient = ({ inputs: [x], outputs }: Instruction): Tolerance => ({
  units: isThere(outputs[2]!) ? 32 + x!.rows / 2 : 32,
  eps: 'operands',
});

/** Sums over pixels and, of a gradient, over what the layers before it summed. */
const stacked = ({ inputs, outputs }: Instruction): Tolerance =>
  sum([...inputs, ...outputs].reduce((total, { rows, cols }) => total + rows + cols, 0));

/** Outputs that say how a kernel came to its result: iterations and what is left, its own affair. */
const reports: Readonly<Record<string, readonly number[]>> = { sylvester: [2, 3] };

/** What is not here must be equal. */
const tolerances: Readonly<Record<string, (instruction: Instruction) => Tolerance>> = {
  // Functions within 2 ulp each, one within 7 (native/simd/math.h), some made of two; three are near 0 in absolute terms.
  unary: ({ attributes: [kind] }) =>
    kind === kinds.sin || kind === kinds.cos || kind === kinds.normalQuantile
      ? { units: 8 }
      : { units: 8, of: 'element' },
  // 1 − y² and y(1 − y) cancel.
  unary_grad: () => ({ units: 8 }),
  gated_activation: () => ({ units: 8, of: 'element' }),
  // 1 − tanh² cancels.
  gated_activation_grad: () => ({ units: 8 }),
  activation_slope: () => ({ units: 16 }),
  // Both terms may cancel; the factor's gradient is a sum.
  activation_slope_grad: ({ inputs: [z] }) => ({ ...sum(8 + z!.rows), of: 'inputs' }),
  // K·L products of matrices, with signs.
  residual_series: ({ inputs }) => ({
    ...sum(inputs.reduce((total, { cols }) => total + 4 * cols, 0)),
    eps: 'operands',
  }),
  // A substitution over all pixels, whose diagonal need not be large.
  wavefront_solve: ({ inputs: [y, weight] }) => sum(64 * weight!.cols * y!.cols),
  block_matmul: ({ inputs: [x], attributes: [count] }) => sum(x!.cols / count!),
  // Elimination in float64 in another order, of matrices that may be badly conditioned.
  batch_inverse: ({ inputs: [a] }) => ({ units: 4096 * a!.cols, eps: 'output' }),
  // a·b + c with one rounding or two.
  affine_scalar: () => ({ units: 1, of: 'inputs' }),
  gather_rows: () => ({ units: 1 }),
  clip: () => ({ units: 2 }),
  // s + (1 − decay)·(v − s), where v and s may cancel.
  ema: () => ({ units: 4, of: 'inputs' }),
  // A parameter and its step may cancel.
  sgd: () => ({ units: 8, of: 'inputs' }),
  adam: () => ({ units: 8 }),
  // Maxima are equal. float64 sums in another order; exp and log of logsumexp are taken in the type of the input.
  reduce: ({ attributes: [kind], inputs: [x] }) => {
    if (kind === kinds.max) return exact;
    if (kind === kinds.sum || kind === kinds.mean) return sum(x!.rows * x!.cols);
    return { units: 16, eps: 'operands' };
  },
  // exp(x − y) has |x − y| eps.
  reduce_grad: ({ attributes: [kind] }) =>
    kind === kinds.max ? exact : { units: 32, eps: 'operands' },
  grad_norm: ({ inputs }) => sum(inputs.reduce((total, { rows, cols }) => total + rows * cols, 0)),
  matmul: ({ inputs: [a] }) => sum(Math.max(a!.rows, a!.cols)),
  linear: ({ inputs: [x] }) => sum(x!.cols),
  masked_linear: ({ inputs: [x] }) => sum(x!.cols),
  masked_linear_grad_input: ({ inputs: [dy] }) => sum(dy!.cols),
  masked_linear_grad_weight: ({ inputs: [dy] }) => sum(dy!.rows),
  conv2d: ({ inputs: [, weight] }) => sum(weight!.cols),
  conv2d_grad_input: ({ inputs: [dy], attributes: [, , places] }) => sum(dy!.cols * places!),
  conv_stack: stacked,
  conv_stack_grad: stacked,
  // Errors of each sample go on into the next ones.
  wave_generate: ({ inputs, outputs: [x] }) => sum(inputs.length * 64 + 64 * x!.cols),
  // The error of each layer's sums goes through the next ones.
  wave_stack: stacked,
  wave_stack_grad: stacked,
  conv2d_grad_weight: ({ inputs: [dy] }) => sum(dy!.rows),
  activation_grad: ({ inputs: [dy] }) => sum(dy!.rows),
  // The error of each layer's sums goes through the next ones.
  mlp: network,
  mlp_grad: network,
  // A few roundings of each element; exp(a) has |a| eps; logDet is a float64 sum of terms in the type.
  autoregressive_affine: ({ inputs: [x] }) => ({ ...sum(x!.cols), eps: 'operands' }),
  autoregressive_affine_inverse: ({ inputs: [x] }) => ({ ...sum(x!.cols), eps: 'operands' }),
  autoregressive_affine_grad: () => ({ units: 32, eps: 'operands' }),
  autoregressive_affine_inverse_grad: () => ({ units: 32, eps: 'operands' }),
  // The log-det sums the rows of a sample; the gradient of the gain those of all samples.
  affine_coupling: coupling,
  affine_coupling_inverse: coupling,
  affine_coupling_grad: couplingGradient,
  affine_coupling_inverse_grad: couplingGradient,
  // Each dimension is computed of the ones before (after) it, with their errors.
  made_inverse: incremental,
  made_inverse_grad: incremental,
  // Sums of M terms and a tanh, and in the inverse the roots of the rows after, whose slopes are above 1 − 0.81.
  sylvester: ({ inputs: [v], attributes: [inverse] }) => ({
    units: (inverse ? 64 : 16) * (1 + v!.cols),
    eps: 'operands',
    of: 'inputs',
  }),
  // Sums of K exponentials over their sum, bins of some hundredths of the box, and in the inverse slopes as small; a cubic
  // may be flat to a thousandth in the middle of a bin, where a root moves a thousand times as far as its y.
  spline: ({ inputs: [x], attributes: { 0: kind, 8: inverse } }) => ({
    units: (inverse ? (kind === 3 ? 1 << 16 : 4096) : 512) + x!.cols,
    eps: 'operands',
    of: 'inputs',
  }),
  spline_grad: () => ({ units: 1 << 15, eps: 'operands', of: 'inputs' }),
  sylvester_grad: ({ inputs: [v] }) => ({
    units: 256 * (1 + v!.cols),
    eps: 'operands',
    of: 'inputs',
  }),
  column_moments: ({ inputs: [x] }) => sum(x!.rows),
  // mean and variance are rounded to the type before they are applied.
  batch_norm: () => ({ units: 16 }),
  channel_affine: () => ({ units: 8, eps: 'operands' }),
  channel_affine_grad: ({ inputs: [v] }) => ({ ...sum(v!.rows), eps: 'operands' }),
  batch_norm_grad: ({ inputs: [x] }) => sum(x!.rows),
  log_prob: ({ inputs: [z] }) => ({ ...sum(z!.cols), eps: 'operands' }),
  // float64 sums of terms in the type: differences of logits, and distances in scales of e^−2.
  categorical_log_prob: ({ inputs: [logits] }) => ({ ...sum(logits!.cols), eps: 'operands' }),
  categorical_log_prob_grad: () => ({ units: 64 }),
  logistic_mixture_log_prob: () => ({ units: 1024, eps: 'operands' }),
  logistic_mixture_log_prob_grad: () => ({ units: 1024 }),
  // The error of a state goes on to those made of it, which its gates damp.
  spatial_lstm: ({ inputs: [, weight] }) => sum(4 * weight!.cols),
  spatial_lstm_grad: ({ inputs: [, weight] }) => sum(16 * weight!.rows),
  // x − sigmoid(l) of Bernoulli cancels.
  log_prob_grad: () => ({ units: 64 }),
  random_normal: () => ({ units: 8 }),
  // Each unknown is computed of the ones before, with their errors.
  triangular_solve: ({ inputs: [t] }) => sum(t!.cols),
  // Pivots with the errors of n steps of the elimination.
  lu_factor: ({ inputs: [w] }) => sum(8 * w!.cols),
  lu_solve: ({ inputs: [, factors] }) => sum(4 * factors!.cols),
  // Sums of a row's products, in float64; across the direction of the row they cancel.
  scale_weights: () => ({ units: 8 }),
  scale_weights_grad: () => ({ units: 64, eps: 'operands', of: 'inputs' }),
  lu_inverse: ({ inputs: [factors] }) => sum(4 * factors!.cols),
  lu_compose: ({ inputs: [factors] }) => sum(factors!.cols),
  lu_compose_grad: ({ inputs: [factors] }) => sum(factors!.cols),
  triangular_solve_grad: ({ inputs: [x] }) => sum(Math.max(x!.rows, x!.cols)),
};

function epsOf(instruction: Instruction, output: Operand, tolerance: Tolerance): number {
  const { inputs, outputs } = instruction;
  const operands =
    tolerance.eps === 'operands' ? [...inputs, ...outputs].filter(isThere) : [output];
  return epsilonOf(operands.some(({ dtype }) => dtype === 'float32') ? 'float32' : 'float64');
}

/** Whether all are within units·eps; the sentence, where they are not, is expectClose's. */
function areClose(
  actual: Float64Array,
  wanted: Float64Array,
  units: number,
  scale: number,
): boolean {
  for (let i = 0; i < wanted.length; i++) {
    const [a, w] = [actual[i]!, wanted[i]!];
    if (a === w || (Number.isNaN(a) && Number.isNaN(w))) continue;
    if (!(Math.abs(a - w) <= units * eps64 * Math.max(scale, Math.abs(w)))) return false;
  }
  return true;
}

const largest = (values: Float64Array) =>
  values.reduce(
    (most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most),
    0,
  );

function compare(instruction: Instruction, kernel: TypedArray[], plain: TypedArray[]): void {
  instruction.outputs.forEach((output, k) => {
    if (reports[instruction.op]?.includes(k)) return;
    const tolerance = tolerances[instruction.op]?.(instruction) ?? exact;
    const units = (tolerance.units * epsOf(instruction, output, tolerance)) / eps64;
    const [actual, wanted] = [elements(output, kernel[k]!), elements(output, plain[k]!)];
    const scale =
      tolerance.of === 'element'
        ? 0
        : tolerance.of === 'inputs'
          ? Math.max(
              largest(wanted),
              ...instruction.inputs.map((input) => largest(elements(input, read(input)))),
            )
          : largest(wanted);
    if (areClose(actual, wanted, units, scale)) return;
    const what = `${instruction.op} (${instruction.attributes.join(', ')})`;
    expectClose(actual, wanted, units, `${what} against the plain loop, output ${k}`, scale);
  });
}

/**
 * Runs `body`; every instruction that it executes is run by native/reference too, on the same operands, and must give
 * the same within its tolerance. What `body` sees is what the kernels computed.
 *
 * @param compared how often each op was compared, added up
 */
export function shadowed<T>(compared: Map<string, number>, body: () => T): T {
  const { run } = native;
  native.run = (count) => {
    const given = decode(words.slice(0, count));
    const before = given.outputs.map(read); // of those that are updated in place
    const status = run(count);
    if (status !== 0) return status;
    const copy = words.slice(0, count);
    const instruction = decode(copy);
    const kernel = instruction.outputs.map(read);
    instruction.outputs.forEach((output, k) => {
      const fresh = given.outputs[k]!.handle === 0;
      write(output, fresh ? kernel[k]!.map(() => 77) : before[k]!);
    });
    const reference = native.runReference(copy);
    expect(reference, reference === 0 ? '' : native.lastError()).toBe(0);
    compare(instruction, kernel, instruction.outputs.map(read));
    instruction.outputs.forEach((output, k) => {
      write(output, kernel[k]!);
    });
    compared.set(instruction.op, (compared.get(instruction.op) ?? 0) + 1);
    return status;
  };
  try {
    return body();
  } finally {
    native.run = run;
  }
}

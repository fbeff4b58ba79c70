/** Runs one native instruction: the only place that writes instruction words. */
import { type DType, dtypeCode } from '../dtype';
import { expected, FlowError, type FlowErrorCode } from '../errors';
import { native, nativeStatus, opcodeOf, words } from '../native';
import { described } from '../options';
import { colsOf, rowsOf, type Shape, sizeOf } from '../shape';
import { currentDevice, type Device, deviceCode } from './device';
import { allocateBuffer, Storage } from './storage';
import { isRecording, Tensor } from './tensor';

/** An output to be made. */
export interface OutputSpec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Hears of every instruction that ran; see program.ts. */
export type Listener = (
  instruction: Float64Array,
  operands: readonly (Tensor | null)[],
  device: Device,
) => void;

let listener: Listener | null = null;

export function setListener(next: Listener | null): void {
  listener = next;
}

const headerWords = 4;
const operandWords = 6;
/** The dtype word of an operand is dtype + deviceWord·device. */
const deviceWord = 16;

function writeOperand(
  at: number,
  handle: number,
  dtype: DType,
  device: Device,
  offset: number,
  shape: Shape,
  rowStride: number,
): void {
  words[at] = handle;
  words[at + 1] = dtypeCode(dtype) + deviceWord * deviceCode(device);
  words[at + 2] = offset;
  words[at + 3] = rowsOf(shape);
  words[at + 4] = colsOf(shape);
  words[at + 5] = rowStride;
}

/** Where an instruction runs: where its operands are. What is made of nothing is made on the current device. */
function deviceOf(
  inputs: readonly (Tensor | null)[],
  outputs: readonly (OutputSpec | Tensor | null)[],
): Device {
  for (const input of inputs) if (input) return input.device;
  for (const output of outputs) if (output instanceof Tensor) return output.device;
  return currentDevice();
}

/** Throws ARGUMENT unless each operand is a tensor or left out: JavaScript passes anything. */
export function requireOperands(op: string, inputs: readonly (Tensor | null)[]): void {
  for (let k = 0; k < inputs.length; k++) {
    const input = inputs[k];
    if (input === null || input === undefined || input instanceof Tensor) continue;
    const remedy = 'make one with tensor(values)';
    throw new FlowError(
      'ARGUMENT',
      expected(op, `operand ${k}`, 'a tensor', described(input), remedy),
    );
  }
}

export function throwNative(status: number): never {
  const code: FlowErrorCode = status === nativeStatus.staleHandle ? 'DISPOSED' : 'NATIVE';
  throw new FlowError(code, native.lastError());
}

function noNumber(op: string, k: number, value: unknown): FlowError {
  const remedy = 'pass numbers where the op takes numbers';
  return new FlowError(
    'ARGUMENT',
    expected(op, `attribute ${k}`, 'a number', described(value), remedy),
  );
}

/**
 * Runs one instruction.
 *
 * @param op native name
 * @param inputs tensors; null for one that is left out
 * @param outputs specs of outputs to be made, or tensors that are written (or updated) in place; null: left out
 * @param attributes numbers, as the op's C++ file lists them
 * @returns the outputs that were made, in order (in-place ones and null are skipped)
 */
export function execute(
  op: string,
  inputs: readonly (Tensor | null)[],
  outputs: readonly (OutputSpec | Tensor | null)[],
  attributes: readonly number[] = [],
): Tensor[] {
  const count = headerWords + (inputs.length + outputs.length) * operandWords + attributes.length;
  if (count > words.length) {
    throw new FlowError(
      'UNSUPPORTED',
      `[${op}] operands: expected at most ${words.length} instruction words, got ${count}`,
    );
  }
  requireOperands(op, inputs);
  const device = deviceOf(inputs, outputs);
  words[0] = opcodeOf(op);
  words[1] = inputs.length;
  words[2] = outputs.length;
  words[3] = attributes.length;
  let at = headerWords;
  for (const input of inputs) {
    if (input)
      writeOperand(
        at,
        input.storage.handle,
        input.dtype,
        device,
        input.offset,
        input.shape,
        input.rowStride,
      );
    else words.fill(0, at, at + operandWords);
    at += operandWords;
  }
  const firstOutput = at;
  for (const output of outputs) {
    if (output === null) {
      words.fill(0, at, at + operandWords);
    } else if (output instanceof Tensor) {
      writeOperand(
        at,
        output.storage.handle,
        output.dtype,
        device,
        output.offset,
        output.shape,
        output.rowStride,
      );
    } else {
      // In a recording the recorder plans the memory; otherwise the instruction allocates, which saves a call. An
      // empty output would look left out, so it gets its (empty) buffer here too.
      const planned = isRecording() || sizeOf(output.shape) === 0;
      const handle = planned ? allocateBuffer(output.dtype, sizeOf(output.shape), device) : 0;
      writeOperand(at, handle, output.dtype, device, 0, output.shape, colsOf(output.shape));
    }
    at += operandWords;
  }
  for (const attribute of attributes) {
    if (typeof attribute !== 'number') throw noNumber(op, attributes.indexOf(attribute), attribute);
    words[at++] = attribute;
  }
  const status = native.run(count);
  if (status !== nativeStatus.ok) {
    // What the recorder planned for this instruction stays its own; what the engine allocated it has freed.
    throwNative(status);
  }
  const made: Tensor[] = [];
  at = firstOutput;
  for (const output of outputs) {
    if (output !== null && !(output instanceof Tensor)) {
      made.push(
        new Tensor(
          new Storage(words[at] as number, output.dtype, sizeOf(output.shape), device),
          output.shape,
        ),
      );
    }
    at += operandWords;
  }
  if (listener) {
    const given = outputs.filter((output): output is Tensor => output instanceof Tensor);
    listener(words.slice(0, count), [...inputs, ...given], device);
  }
  return made;
}

/**
 * Instructions of random operands, for every op: each must run or end in an error that names the op, and write nothing
 * outside of its outputs. (What is read outside shows in the sanitizer run.)
 */
import { describe, expect, it } from 'vitest';
import { type DType, dtypeCode, typedArray } from '../../lib/dtype';
import { native, nativeStatus, opcodeOf, words } from '../../lib/native';
import { fixture } from '../reference/close';

const dtypes: readonly DType[] = ['float32', 'float64', 'int32', 'uint8'];
const extents = [0, 1, 1, 2, 3, 4, 5, 17, 33];
const attributes = [
  0,
  0,
  1,
  1,
  2,
  3,
  0.5,
  1e-5,
  5,
  -1,
  7,
  1e18,
  Number.NaN,
  Number.POSITIVE_INFINITY,
];

/** Numbers in [0, 1), the same at each run. */
function source(seed: number): () => number {
  const draw = fixture(seed);
  return () => {
    const value = draw(1)[0]! * 1000;
    return value - Math.floor(value);
  };
}

interface Operand {
  readonly handle: number;
  readonly dtype: DType;
  readonly offset: number;
  readonly rows: number;
  readonly cols: number;
  readonly stride: number;
  /** What the whole buffer held before. */
  readonly before: ReturnType<typeof typedArray>;
}

/** A view in the middle of a buffer, now and then strided, of small whole numbers: good for an index or a state too. */
function randomOperand(
  random: () => number,
  shapes: (readonly [number, number])[],
  usual: DType,
): Operand {
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
  const dtype = random() < 0.7 ? usual : pick(dtypes);
  // Mostly shapes that other operands have, or that belong to them, or nothing gets past the checks.
  const known = shapes.length > 0 && random() < 0.75 ? pick(shapes) : null;
  const [rows, cols] = known
    ? pick([known, known, known, [1, known[1]], [1, known[0]], [known[0], 1], [1, 1]] as const)
    : [pick(extents), pick(extents)];
  shapes.push([rows, cols]);
  const stride = cols + (random() < 0.2 ? 3 : 0);
  const offset = 8 + Math.floor(random() * 3);
  const before = typedArray(dtype, offset + rows * stride + 24);
  for (let i = 0; i < before.length; i++) {
    before[i] = Math.floor(random() * 4) + (dtype.startsWith('float') ? random() - 1.5 : 0);
  }
  const handle = native.alloc(dtypeCode(dtype), before.length);
  native.write(handle, 0, before);
  return { handle, dtype, offset, rows, cols, stride, before };
}

function writeOperand(at: number, operand: Operand | null): number {
  words.fill(0, at, at + 6);
  if (operand) {
    words[at] = operand.handle;
    words[at + 1] = dtypeCode(operand.dtype);
    words[at + 2] = operand.offset;
    words[at + 3] = operand.rows;
    words[at + 4] = operand.cols;
    words[at + 5] = operand.stride;
  }
  return at + 6;
}

/** The numbers of inputs, outputs and attributes that the op takes (up to 16, 5 and 9), found with operands left out. */
function aritiesOf(op: string): (readonly [number, number, number])[] {
  const found: (readonly [number, number, number])[] = [];
  for (let inputs = 0; inputs <= 16; inputs++) {
    for (let outputs = 0; outputs <= 5; outputs++) {
      for (let count = 0; count <= 9; count++) {
        words.fill(0, 0, 4 + 6 * (inputs + outputs) + count);
        words.set([opcodeOf(op), inputs, outputs, count]);
        const status = native.run(4 + 6 * (inputs + outputs) + count);
        const refused =
          status !== nativeStatus.ok &&
          /got \d+ inputs, \d+ outputs and \d+ attributes/.test(native.lastError());
        if (!refused) found.push([inputs, outputs, count]);
      }
    }
  }
  return found;
}

/** First element that changed outside of the views, or undefined. */
function strayWrite(operands: readonly (Operand | null)[], outputs: readonly (Operand | null)[]) {
  for (const operand of operands) {
    if (!operand) continue;
    const { handle, dtype, offset, rows, cols, stride, before } = operand;
    const after = typedArray(dtype, before.length);
    native.read(handle, 0, after);
    const isOutput = outputs.includes(operand);
    for (let i = 0; i < after.length; i++) {
      const inside =
        i >= offset && (i - offset) % stride < cols && Math.floor((i - offset) / stride) < rows;
      if (!(inside && isOutput) && !Object.is(after[i], before[i])) {
        return `element ${i} of ${isOutput ? 'an output' : 'an input'} of ${rows} × ${cols}`;
      }
    }
  }
  return undefined;
}

describe('random instructions', () => {
  it.each(native.ops)('%s', (op) => {
    const random = source(op.length * 7919 + op.charCodeAt(0));
    const live = native.memory()[0];
    const arities = aritiesOf(op);
    expect(arities.length).toBeGreaterThan(0);
    let ran = 0;
    for (let round = 0; round < 1500; round++) {
      const [ins, outs, count] = arities[Math.floor(random() * arities.length)]!;
      const shapes: (readonly [number, number])[] = [];
      const usual: DType = random() < 0.6 ? 'float32' : 'float64';
      const make = (length: number) =>
        Array.from({ length }, () =>
          random() < 0.05 ? null : randomOperand(random, shapes, usual),
        );
      const inputs = make(ins);
      const outputs = make(outs);
      words[0] = opcodeOf(op);
      words[1] = inputs.length;
      words[2] = outputs.length;
      words[3] = count;
      let at = 4;
      for (const operand of [...inputs, ...outputs]) at = writeOperand(at, operand);
      for (let k = 0; k < count; k++) {
        words[at++] = attributes[Math.floor(random() * attributes.length)] as number;
      }
      const status = native.run(at);
      if (status === nativeStatus.ok) ran++;
      else expect(native.lastError()).toContain(`[${op}]`);
      const all = [...inputs, ...outputs];
      expect(strayWrite(all, outputs), `${op}, round ${round}`).toBe(undefined);
      for (const operand of all) if (operand) native.free(operand.handle);
    }
    expect(native.memory()[0]).toBe(live);
    // Ops of few operands and attributes are reached; for those of many the checks alone are tested.
    if (arities.every(([ins, outs, count]) => ins + outs <= 3 && count <= 3))
      expect(ran).toBeGreaterThan(0);
  });
});

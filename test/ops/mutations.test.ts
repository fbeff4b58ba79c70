/**
 * Right instructions with one word wrong: each must run or end in an error, and write nothing outside of its outputs.
 * Unlike random instructions these come past the first checks of the ops with many operands.
 */
import { describe, expect, it } from 'vitest';
import { type DType, typedArray } from '../../lib/dtype';
import { native, nativeStatus, words } from '../../lib/native';
import { sizeOf } from '../../lib/shape';
import { setListener } from '../../lib/tensor/execute';
import { scope } from '../../lib/tensor/scope';
import { drawInputs, listed, makeTensors } from '../contract/opInputs';
import { contracts } from './index';

const dtypes: readonly DType[] = ['float32', 'float64', 'int32', 'uint8'];
const headerWords = 4;
const operandWords = 6;
/** Instructions on more memory than this are left out: they are compared byte for byte after each change. */
const most = 4000;

/** The instructions of a case and of its gradient, as they ran. */
function instructionsOf(run: () => unknown): Float64Array[] {
  const heard: Float64Array[] = [];
  setListener((instruction) => heard.push(instruction));
  try {
    run();
  } finally {
    setListener(null);
  }
  return heard;
}

/** What may stand in a word of an operand instead of `value`: handle, dtype, offset, rows, cols, stride. */
function wrong(position: number, value: number): number[] {
  if (position === 0) return [0, value + 1, 2 ** 24 + value, Number.NaN];
  if (position === 1) return [0, 1, 2, 3, 4].filter((code) => code !== value);
  return [0, 1, value - 1, value + 1, 2 * value, 2 ** 40, -1, 0.5, Number.NaN].filter(
    (other) => other !== value,
  );
}
const wrongAttributes = [-1, 0, 1, 2, 7, 0.5, 1e18, Number.NaN, Number.NEGATIVE_INFINITY];

function snapshot(handles: ReadonlyMap<number, readonly [DType, number]>) {
  return new Map(
    [...handles].map(([handle, [dtype, elements]]) => {
      const values = typedArray(dtype, elements);
      native.read(handle, 0, values);
      return [handle, values] as const;
    }),
  );
}

/** Runs the instruction with every word wrong in turn. */
function mutate(instruction: Float64Array): number {
  const [, ins, outs, count] = instruction as unknown as [number, number, number, number];
  const operandsEnd = headerWords + (ins + outs) * operandWords;
  const handles = new Map<number, readonly [DType, number]>();
  for (let at = headerWords; at < operandsEnd; at += operandWords) {
    const [handle, code, offset, rows, cols, stride] = instruction.subarray(at, at + operandWords);
    if (!handle || !rows || !cols) continue;
    // Some buffers are longer than the view: what is known of them is enough.
    const elements = offset! + (rows - 1) * stride! + cols;
    const known = handles.get(handle)?.[1] ?? 0;
    handles.set(handle, [dtypes[code!]!, Math.max(known, elements)]);
  }
  if ([...handles.values()].reduce((sum, [, elements]) => sum + elements, 0) > most) return 0;
  let runs = 0;
  for (let at = headerWords; at < instruction.length; at++) {
    const isAttribute = at >= operandsEnd;
    const position = (at - headerWords) % operandWords;
    const others = isAttribute ? wrongAttributes : wrong(position, instruction[at]!);
    for (const value of others) {
      // In place: what one output is given, an input of another operand of the same buffer may be.
      const before = snapshot(handles);
      words.set(instruction);
      words[at] = value;
      const live = native.memory()[0];
      const status = native.run(headerWords + (ins + outs) * operandWords + count);
      runs++;
      if (status !== nativeStatus.ok) {
        expect(native.lastError()).toMatch(/^\[/);
        expect(native.memory()[0]).toBe(live);
      }
      for (let k = 0; k < outs; k++) {
        const word = headerWords + (ins + k) * operandWords;
        const made = words[word]!;
        // An output that was left out with an extent is made by the engine.
        if (status === nativeStatus.ok && word === at && value === 0 && made !== 0)
          native.free(made);
      }
      const after = snapshot(handles);
      for (const [handle, old] of before) {
        const now = after.get(handle)!;
        for (let i = 0; i < now.length; i++) {
          if (Object.is(now[i], old[i])) continue;
          let inside = false;
          for (let k = 0; k < outs; k++) {
            const word = headerWords + (ins + k) * operandWords;
            const [owner, , offset, rows, cols, stride] = words.subarray(word, word + operandWords);
            const place = i - offset!;
            inside ||=
              owner === handle &&
              place >= 0 &&
              (rows === 1 ? place < cols! : place % stride! < cols! && place / stride! < rows!);
          }
          expect(inside, `word ${at} = ${value}: element ${i} outside of the outputs`).toBe(true);
        }
        native.write(handle, 0, old);
      }
    }
  }
  return runs;
}

describe('right instructions with one word wrong', () => {
  it.each(contracts.map((contract) => [contract.module, contract] as const))(
    '%s',
    (_, contract) => {
      const seen = new Map<string, number>();
      let runs = 0;
      for (const test of contract.cases) {
        const size = test.inputs.reduce((sum, input) => sum + sizeOf(input.shape), 0);
        if (size > most) continue;
        scope(() => {
          const dtype = test.dtypes?.[0] ?? 'float32';
          const tensors = makeTensors(test, drawInputs(test, dtype), dtype);
          const outputs: unknown[] = [];
          const heard = instructionsOf(() => outputs.push(...listed(test.run(...tensors))));
          for (const instruction of heard) {
            const name = native.ops[instruction[0]!]!;
            // Buffers that were freed on the way are stale handles by now: an error, and tested as such.
            if (!contract.native.includes(name) || (seen.get(name) ?? 0) >= 3) continue;
            seen.set(name, (seen.get(name) ?? 0) + 1);
            runs += mutateLive(instruction);
          }
        });
      }
      if (contract.native.length > 0) expect(runs).toBeGreaterThan(0);
    },
  );
});

/** As {@link mutate}, for an instruction whose buffers are all alive. */
function mutateLive(instruction: Float64Array): number {
  try {
    return mutate(instruction);
  } catch (error) {
    if (error instanceof Error && /was disposed/.test(error.message)) return 1;
    throw error;
  }
}

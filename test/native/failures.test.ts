/** What must end in an error and not in the end of the process: wrong devices, memory that is not there, endless empties. */
import { existsSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { native, nativeStatus, opcodeOf, words } from '../../lib/native';
import { matmul } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { fixture } from '../reference/close';

type Operand = readonly [
  handle: number,
  dtype: number,
  offset: number,
  rows: number,
  cols: number,
  stride: number,
];

function run(
  op: string,
  inputs: readonly Operand[],
  outputs: readonly Operand[],
  attributes: readonly number[],
) {
  const instruction = [
    ...[opcodeOf(op), inputs.length, outputs.length, attributes.length],
    ...[...inputs, ...outputs].flat(),
    ...attributes,
  ];
  words.set(instruction);
  return native.run(instruction.length);
}

const threads = native.threads();
afterEach(() => native.setThreads(threads));

/** A system that promises more than it has never refuses. */
const overcommit = '/proc/sys/vm/overcommit_memory';
const refuses =
  existsSync(overcommit) &&
  readFileSync(overcommit, 'utf8').trim() !== '1' &&
  totalmem() < 2 ** 39 &&
  process.env.FLOW_SANITIZE === undefined;

describe('failures', () => {
  it('an output on a GPU that was not opened', () => {
    const live = native.memory()[0];
    for (const code of [16, 17, 31]) {
      expect(run('fill', [], [[0, code, 0, 1, 1, 1]], [1])).toBe(nativeStatus.malformed);
      expect(native.lastError()).toBe('[fill] device: no GPU was opened');
    }
    expect(native.memory()[0]).toBe(live);
  });

  it('an empty operand of endless rows or columns', () => {
    for (const [rows, cols] of [
      [2 ** 52, 0],
      [0, 2 ** 52],
    ] as const) {
      expect(run('fill', [], [[0, 0, 0, rows, cols, cols]], [1])).toBe(nativeStatus.malformed);
      expect(native.lastError()).toBe(`[fill] output 0: ${rows} × ${cols} is out of range`);
    }
    expect(run('fill', [], [[0, 0, 0, 0, 2 ** 31, 2 ** 31]], [1])).toBe(nativeStatus.ok);
  });

  it.runIf(refuses)('an op that asks for terabytes, on one thread and on several', () => {
    const live = native.memory()[0];
    const x = native.alloc(0, 1);
    const product = () =>
      scope(() => {
        const draw = fixture(3);
        const a = tensorOfArray(Float32Array.from(draw(300 * 200)), [300, 200]);
        const b = tensorOfArray(Float32Array.from(draw(200 * 400)), [200, 400]);
        return matmul(a, b).toArray();
      });
    native.setThreads(1);
    const before = product();
    for (const [rows, count] of [
      [1, 1],
      [1, 4],
      [200000, 1],
      [200000, 4],
    ] as const) {
      native.setThreads(count);
      const empty: Operand = [x, 0, 0, rows, 0, 0];
      for (let k = 0; k < 5; k++) {
        const status = run(
          'monotone',
          [empty, empty],
          [
            [0, 0, 0, rows, 0, 0],
            [0, 1, 0, rows, 1, 1],
          ],
          [0, 4096, 4096, 1, 1e-3],
        );
        expect([status, native.lastError()]).toEqual([
          nativeStatus.outOfMemory,
          '[monotone] no memory for its working space',
        ]);
        // The pool and the memory of its threads are as before.
        expect(product()).toEqual(before);
      }
    }
    native.free(x);
    expect(native.memory()[0]).toBe(live);
  });
});

import { describe, expect, it } from 'vitest';
import { native } from '../../lib/native';
import { add, mul, neg } from '../../lib/ops';
import { record } from '../../lib/tensor/program';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';

/** (x·2)·3 + [10, 20, 30], with a temporary freed before the constant is made, and one after. */
function body(x: Tensor): Tensor {
  return scope(() => {
    const doubled = mul(x, 2);
    const tripled = mul(doubled, 3);
    doubled.dispose();
    const constant = tensorOfArray(Float64Array.of(10, 20, 30), [3]);
    const sum = add(tripled, constant);
    constant.dispose();
    return neg(neg(sum));
  });
}

describe('program', () => {
  it('gives at each run what the body gives for the inputs of now', () => {
    const x = tensorOfArray(Float64Array.of(1, 2, 3), [3]);
    const program = record(() => body(x));
    expect([...program.result.dataSync()]).toEqual([16, 32, 48]);
    for (const values of [
      [0, 0, 0],
      [-1, 5, 0.5],
      [7, 8, 9],
    ]) {
      x.write(Float64Array.from(values));
      program.run();
      expect([...program.result.dataSync()]).toEqual(values.map((v, i) => 6 * v + 10 * (i + 1)));
    }
    program.dispose();
    x.dispose();
  });

  it('reuses memory inside, and frees all of it with the program', () => {
    const before = native.memory()[0];
    const x = tensorOfArray(Float64Array.of(1, 2, 3), [3]);
    const program = record(() => {
      let y = x;
      for (let k = 0; k < 50; k++) y = scope(() => add(y, 1));
      return scope(() => {
        let z = y;
        for (let k = 0; k < 50; k++) {
          const next = add(z, 1);
          if (z !== y) z.dispose();
          z = next;
        }
        return z;
      });
    });
    expect([...program.result.dataSync()]).toEqual([101, 102, 103]);
    // x, 50 tensors that stay, and two that take turns, with the ones for the numbers that are added.
    program.run();
    expect([...program.result.dataSync()]).toEqual([101, 102, 103]);
    program.dispose();
    program.dispose();
    x.dispose();
    expect(native.memory()[0]).toBe(before);
  });

  it('keeps what it reads alive, also when the caller disposes it', () => {
    const x = tensorOfArray(Float64Array.of(1, 2, 3), [3]);
    const program = record(() => body(x));
    x.dispose();
    program.run();
    expect([...program.result.dataSync()]).toEqual([16, 32, 48]);
    program.dispose();
  });

  it('lets a later program read the result of an earlier one', () => {
    const x = tensorOfArray(Float64Array.of(1, 2, 3), [3]);
    const first = record(() => body(x));
    const second = record(() => scope(() => mul(first.result, 10)));
    for (const value of [1, 2]) {
      x.write(new Float64Array(3).fill(value));
      first.run();
      second.run();
      expect([...second.result.dataSync()]).toEqual([10, 20, 30].map((c) => 10 * (6 * value + c)));
    }
    second.dispose();
    first.dispose();
    x.dispose();
  });

  it('refuses reads and writes from JavaScript while it is recorded, and frees what it had made', () => {
    const before = native.memory()[0];
    const x = tensorOfArray(Float64Array.of(1), [1]);
    expect(() => record(() => mul(x, 2).item())).toThrow(
      /no access from JavaScript inside a recorded step/,
    );
    expect(() => record(() => x.write(Float64Array.of(2)))).toThrow(/write/);
    x.dispose();
    expect(native.memory()[0]).toBe(before);
  });
});

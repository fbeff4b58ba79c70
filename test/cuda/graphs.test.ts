/** Graphs keep the memory that they were captured with, whatever the ops between their runs ask for. */
import { once } from 'node:events';
import { beforeAll, expect, it } from 'vitest';
import { native } from '../../lib/native';
import { matmul, sum } from '../../lib/ops';
import { onDevice } from '../../lib/tensor/device';
import { record } from '../../lib/tensor/program';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { emulatedPlugin, isEmulated } from './emulated';

beforeAll(() => void emulatedPlugin(), 900_000);

it('the workspace of a graph outlives the growth of the workspace', () => {
  onDevice('cuda', () =>
    scope(() => {
      // Sums in several pieces, which stand in the workspace between two launches.
      const x = tensorOfArray(
        Float64Array.from({ length: 5000 }, (_, i) => i % 7),
        [5000],
      );
      const wide = tensorOfArray(new Float64Array(4000 * 64).fill(1), [4000, 64]);
      const total = Array.from(x.dataSync(), Number).reduce((a, b) => a + b);
      const program = record(() => sum(x));
      for (let run = 0; run < 2; run++) {
        program.run();
        expect(program.result.item()).toBe(total);
      }
      for (let growth = 0; growth < 2; growth++) {
        expect([...sum(wide, 0).dataSync()]).toEqual(Array.from({ length: 64 }, () => 4000));
        program.run();
        expect(program.result.item()).toBe(total);
      }
      const held = native.cudaGet('deviceBytes');
      program.dispose();
      if (isEmulated) expect(native.cudaGet('deviceBytes')).toBeLessThan(held);
      expect(sum(x).item()).toBe(total);
    }),
  );
});

it('a product over nothing is zeros', () => {
  onDevice('cuda', () =>
    scope(() => {
      const nothing = (shape: [number, number]) => tensorOfArray(new Float32Array(0), shape);
      expect([...matmul(nothing([3, 0]), nothing([0, 5])).dataSync()]).toEqual(
        Array.from({ length: 15 }, () => 0),
      );
    }),
  );
});

it.runIf(isEmulated)(
  'what cannot be captured is done instruction by instruction, with a warning',
  async () => {
    const program = onDevice('cuda', () => {
      const x = tensorOfArray(Float64Array.of(1, 2, 4), [3]);
      return record(() => sum(x));
    });
    const warned = once(process, 'warning');
    native.cudaSet('failLaunch', 0);
    program.run();
    native.cudaSet('clearCounters', 1);
    program.run();
    expect(native.cudaGet('graphLaunches')).toBe(0);
    expect(native.cudaGet('launches')).toBeGreaterThan(0);
    expect(program.result.item()).toBe(7);
    expect(String((await warned)[0])).toMatch(
      /graph: .*one instruction after the other: .*refused/,
    );
    program.dispose();
  },
);

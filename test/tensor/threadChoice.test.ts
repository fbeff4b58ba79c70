import { describe, expect, it } from 'vitest';
import { native } from '../../lib/native';
import { matmul, tanh } from '../../lib/ops';
import { record } from '../../lib/tensor/program';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { ThreadChoice } from '../../lib/tensor/threadChoice';

/** Runs a program whose time is a function of the threads, and gives the numbers of threads that it was run on. */
function choose(
  runs: number,
  all: number | ((run: number) => number),
  milliseconds: (threads: number, run: number) => number,
): number[] {
  let clock = 0;
  const choice = new ThreadChoice(() => clock);
  return Array.from({ length: runs }, (_, run) =>
    choice.run(
      (count) => {
        clock += milliseconds(count, run);
        return count;
      },
      typeof all === 'number' ? all : all(run),
    ),
  );
}

describe('the threads of a program', () => {
  it('are all where they bring something, and fewer where fewer are faster', () => {
    expect(choose(100, 8, (count) => 8 / count).at(-1)).toBe(8);
    expect(choose(100, 8, (count) => 0.1 + 0.1 * count).at(-1)).toBe(1);
    expect(choose(100, 8, (count) => Math.abs(count - 3.5)).at(-1)).toBe(4);
    // Two percent are noise.
    expect(choose(100, 2, (count) => (count === 1 ? 0.98 : 1)).at(-1)).toBe(2);
  });

  it('are measured in a few runs, and all stay where a run is long', () => {
    const tried = choose(60, 4, (count) => count);
    expect(tried.findLastIndex((count) => count !== 1)).toBeLessThan(36);
    // What is far behind in the first round is not tried again: steps that are timed to plan a training are not those.
    const slow = choose(60, 2, (count) => 8 / count);
    expect(slow).toEqual([2, 2, 2, 2, 1, 1, 1, 1, ...Array(52).fill(2)]);
    expect(choose(60, 2, (count) => 30 * count).slice(2)).toEqual(Array(58).fill(2));
  });

  it('are looked at again soon where the first runs were unlucky, and then seldom', () => {
    // A hiccup of the first round, or of all rounds of the first look.
    const lucky = (count: number, run: number, until: number) =>
      run < until && count === 2 ? 9 : 8 / count;
    expect(choose(40, 2, (count, run) => lucky(count, run, 4)).slice(24)).toEqual(
      Array(16).fill(2),
    );
    const late = choose(200, 2, (count, run) => lucky(count, run, 24));
    expect(late.slice(24, 124)).toEqual(Array(100).fill(1));
    expect(late.slice(132)).toEqual(Array(68).fill(2));
    const once = choose(20_000, 2, (count) => 8 / count);
    expect(once.filter((count) => count === 1).length).toBeLessThan(80);
  });

  it('follow a machine that changes, and setThreads', () => {
    const isBusy = (run: number) => run < 3000;
    const followed = choose(6000, 2, (count, run) => (isBusy(run) ? count : 1 / count));
    expect(followed[2999]).toBe(1);
    expect(followed.at(-1)).toBe(2);
    const set = choose(
      200,
      (run) => (run < 100 ? 4 : 1),
      (count) => count,
    );
    expect(set.slice(100)).toEqual(Array(100).fill(1));
  });

  it('do not change a bit of what a program gives', () => {
    const values = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i));
    const x = tensorOfArray(values(256 * 64), [256, 64]);
    const w = tensorOfArray(values(64 * 64), [64, 64]);
    const before = native.threads();
    try {
      native.setThreads(3);
      const program = record(() => matmul(tanh(x), w));
      const seen = new Set<string>();
      for (let run = 0; run < 60; run++) {
        program.run();
        seen.add(
          Buffer.from((program.result.dataSync() as Float32Array).slice().buffer).toString(
            'base64',
          ),
        );
      }
      expect(seen.size).toBe(1);
      program.dispose();
    } finally {
      native.setThreads(before);
    }
  });
});

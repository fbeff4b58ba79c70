import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/ops';
import { record } from '../../lib/tensor/program';
import { scope } from '../../lib/tensor/scope';
import { leavesNothing } from '../contract/opContract';

const values = (stream: RandomStream) =>
  scope(() => [...stream.normal([5]).dataSync(), ...stream.uniform([3], 'float64').dataSync()]);

describe('RandomStream', () => {
  it('is a function of the seed', () =>
    leavesNothing(() => {
      using a = new RandomStream(7);
      using b = new RandomStream(7n);
      using c = new RandomStream(8);
      const first = values(a);
      expect(values(b)).toEqual(first);
      expect(values(c)).not.toEqual(first);
      expect(values(a)).not.toEqual(first);
    }));

  it('goes on from a saved state', () =>
    leavesNothing(() => {
      using a = new RandomStream(-3);
      values(a);
      using b = new RandomStream(a.state.dataSync() as Int32Array);
      expect(values(b)).toEqual(values(a));
    }));

  it('gives new numbers in each run of a program, those of eager calls', () =>
    leavesNothing(() => {
      using a = new RandomStream(11);
      using b = new RandomStream(11);
      const program = record(() => a.normal([9]));
      for (let run = 0; run < 3; run++) {
        if (run > 0) program.run();
        scope(() => expect(program.result.dataSync()).toEqual(b.normal([9]).dataSync()));
      }
      program.dispose();
    }));

  it('splits into other streams, the same ones again for the same seed', () =>
    leavesNothing(() => {
      using a = new RandomStream(5);
      using b = new RandomStream(5);
      using one = a.split();
      using two = a.split();
      using again = b.split();
      const first = values(one);
      expect(values(again)).toEqual(first);
      expect(values(two)).not.toEqual(first);
      expect(values(a)).not.toEqual(first);
    }));

  it('permutes: each order of three as often as the others', () =>
    leavesNothing(() => {
      using stream = new RandomStream(3);
      const counts = new Map<string, number>();
      const rounds = 6000;
      for (let i = 0; i < rounds; i++) {
        const order = [...stream.permutation(3)].join('');
        counts.set(order, (counts.get(order) ?? 0) + 1);
      }
      expect([...counts.keys()].sort()).toEqual(['012', '021', '102', '120', '201', '210']);
      let chiSquared = 0;
      for (const count of counts.values()) {
        chiSquared += (count - rounds / 6) ** 2 / (rounds / 6);
      }
      // The 99.9 % quantile of χ² with 5 degrees of freedom.
      expect(chiSquared).toBeLessThan(20.5);
      expect([...stream.permutation(0)]).toEqual([]);
      expect(stream.permutation(1000).toSorted()).toEqual(
        Int32Array.from({ length: 1000 }, (_, i) => i),
      );
    }));

  it.each(['float32', 'float64'] as const)('%s: moments and tails of a normal', (dtype) =>
    leavesNothing(() => {
      using stream = new RandomStream(1);
      const n = 1 << 20;
      const z = scope(() => stream.normal([n], dtype).dataSync());
      const moments = [0, 0, 0, 0, 0];
      let [beyond3, neighbours] = [0, 0];
      for (let i = 0; i < n; i++) {
        const v = z[i]!;
        for (let k = 1; k <= 4; k++) moments[k]! += v ** k / n;
        if (Math.abs(v) > 3) beyond3++;
        if (i % 2 === 1) neighbours += (v * z[i - 1]!) / (n / 2);
      }
      // Five standard errors: the variances of v, v², v³, v⁴ are 1, 2, 15, 96.
      const error = (variance: number, count = n) => 5 * Math.sqrt(variance / count);
      expect(Math.abs(moments[1]!)).toBeLessThan(error(1));
      expect(Math.abs(moments[2]! - 1)).toBeLessThan(error(2));
      expect(Math.abs(moments[3]!)).toBeLessThan(error(15));
      expect(Math.abs(moments[4]! - 3)).toBeLessThan(error(96));
      expect(Math.abs(neighbours)).toBeLessThan(error(1, n / 2));
      const p = 0.0026997960632601866;
      expect(Math.abs(beyond3 / n - p)).toBeLessThan(error(p * (1 - p)));
    }),
  );

  it('advances its state past 2³² calls', () =>
    leavesNothing(() => {
      using stream = new RandomStream(Int32Array.of(1, 2, -1, 0));
      scope(() => void stream.uniform([1]));
      expect([...stream.state.dataSync()]).toEqual([1, 2, 0, 1]);
    }));
});

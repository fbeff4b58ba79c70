import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import type { ContinuousFlow } from '../../lib/bijections';
import { ffjord, realnvp } from '../../lib/flows';
import { RandomStream } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { adam, cosine, fit, flowMatching } from '../../lib/train';
import { assign, squaredDistances } from '../../lib/train/assignment';
import { randomize } from '../bijections/cases';
import { own } from '../disposables';
import { fixture } from '../reference/close';

describe('assignments', () => {
  it.each([1, 2, 7, 64])('of %i rows are the best there are, with prices that prove it', (n) => {
    const cost = squaredDistances(fixture(n)(3 * n), fixture(n + 1)(3 * n), 3);
    const { columns, u, v } = assign(cost);
    expect([...columns].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, k) => k));
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        // Duality: no assignment costs less than Σu + Σv.
        const slack = cost[i * n + j]! - u[i]! - v[j]!;
        expect(slack).toBeGreaterThan(-1e-12);
        if (columns[i] === j) expect(slack).toBeLessThan(1e-12);
      }
    }
  });

  it('of rows that lie on each other are found too', () => {
    const { columns } = assign(new Float64Array(16));
    expect([...columns].sort()).toEqual([0, 1, 2, 3]);
  });
});

describe('flow matching', () => {
  const data = (rows: number) => {
    const draw = fixture(8);
    return Array.from({ length: rows }, () => {
      const [a, b] = draw(2, 0.3);
      return Math.sign(a!) > 0 ? [2 + a!, b! - 1] : [a! - 2, 1 + 0.5 * b!];
    });
  };

  it('is the mean square of what the field misses', () => {
    const flow = own(
      ffjord({ features: 2, hidden: [5], contextFeatures: 1, endTime: 2, dtype: 'float64' }),
    );
    randomize(flow.bijection, 4, 1);
    const { field } = flow.bijection as ContinuousFlow;
    const rows = data(6).flat();
    const [spread, seed] = [0.1, 5];
    scope(() => {
      const x = tensorOfArray(Float64Array.from(rows), [6, 2]);
      const context = tensorOfArray(fixture(2)(6), [6, 1]);
      const loss = flowMatching({ spread });
      const run = (stream: RandomStream) => loss({ model: flow, x, context, stream });
      const { value, gradients } = valueAndGradient(
        () => run(own(new RandomStream(seed))),
        field.parameters(),
      );
      // The same draws, by hand.
      const again = own(new RandomStream(seed));
      const noise = again.normal([6, 2], 'float64').dataSync();
      const u = again.uniform([1, 1], 'float64').item();
      let total = 0;
      for (let n = 0; n < 6; n++) {
        const t = (n / 6 + u) % 1;
        const z = [0, 1].map((k) => t * rows[2 * n + k]! + (1 - 0.9 * t) * noise[2 * n + k]!);
        const its = tensorOfArray(context.dataSync().slice(n, n + 1), [1, 1]);
        const at = field.open(its, 1, false).at([2 * t])[0]!;
        const f = field.linearize(at, tensorOfArray(Float64Array.from(z), [1, 2])).out.dataSync();
        for (const k of [0, 1])
          total += (2 * f[k]! - (rows[2 * n + k]! - 0.9 * noise[2 * n + k]!)) ** 2 / 6;
      }
      expect(value.item()).toBeCloseTo(total, 10);
      expect(gradients.every((gradient) => gradient !== null)).toBe(true);
    });
  });

  it.each(['independent', 'optimal'] as const)(
    'with %s coupling learns the density',
    async (coupling) => {
      const flow = own(ffjord({ features: 2, hidden: [32, 32], seed: 2 }));
      const rows = data(512);
      const mean = () =>
        scope(
          () =>
            flow
              .logProb(rows)
              .toArray()
              .reduce((a, b) => a + b) / 512,
        );
      const before = mean();
      const { compiled } = await fit(flow, rows, {
        loss: flowMatching({ coupling }),
        steps: coupling === 'optimal' ? 200 : 500,
        batchSize: coupling === 'optimal' ? 64 : 256,
        optimizer: adam({ lr: 1e-2 }),
        schedule: cosine({ steps: coupling === 'optimal' ? 200 : 500 }),
      });
      expect(compiled).toBe(coupling === 'independent');
      expect(mean()).toBeGreaterThan(before + 1.2);
      const samples = scope(() => flow.sample(200, { seed: 3 }).dataSync());
      const [right, left] = [0, 1].map((side) =>
        [...samples].filter((x, i) => i % 2 === 0 && (side ? x < -1 : x > 1)),
      );
      expect(right!.length).toBeGreaterThan(60);
      expect(left!.length).toBeGreaterThan(60);
    },
  );

  it('refuses models that are no continuous flow, in words', () => {
    const model = own(realnvp({ features: 2, hidden: [4] }));
    const x = own(tensorOfArray(new Float32Array(4), [2, 2]));
    const stream = own(new RandomStream(1));
    expect(() => flowMatching()({ model, x, context: null, stream })).toThrow(
      /\[flowMatching\] model: expected a flow of one continuous bijection, got a flow of Chain/,
    );
    expect(() => flowMatching({ coupling: 'best' as 'optimal' })).toThrow(/coupling: expected/);
    expect(() => flowMatching({ spread: 1 })).toThrow(/spread: expected a number from 0/);
  });
});

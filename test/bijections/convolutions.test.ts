import { describe, expect, it } from 'vitest';
import { AutoregressiveConv, emergingConv, PeriodicConv } from '../../lib/bijections';
import { glow } from '../../lib/flows';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { adam, fit } from '../../lib/train';
import { own } from '../disposables';
import { fixture } from '../reference/close';
import { randomize } from './cases';

/** Which pixels of a 5 × 5 image move when the middle one does. */
function seenFromMiddle(bijection: AutoregressiveConv | ReturnType<typeof emergingConv>): number[] {
  randomize(bijection, 5, 0.5);
  return scope(() => {
    const image = new Float64Array(25);
    const before = bijection.forward(tensorOfArray(image, [1, 25])).y.toArray();
    image[12] = 1;
    const after = bijection.forward(tensorOfArray(image, [1, 25])).y.toArray();
    return after.flatMap((value, p) => (value === before[p] ? [] : [p]));
  });
}

describe('emerging convolutions', () => {
  const options = { image: { height: 5, width: 5, channels: 1 }, dtype: 'float64' } as const;

  it('see what comes before in the order that is turned', () => {
    // A pixel that reads up and to the left moves those that lie below and to the right of it.
    const below = [12, 13, 16, 17, 18];
    const seen = ([0, 1, 2, 3] as const).map((rotation) =>
      seenFromMiddle(own(new AutoregressiveConv({ ...options, rotation }))),
    );
    expect(seen[0]).toEqual(below);
    expect(seen[2]).toEqual(below.map((p) => 24 - p).reverse());
    // A quarter turn: (dy, dx) → (dx, −dy).
    const turn = (p: number) => 12 + 5 * ((p % 5) - 2) - (Math.floor(p / 5) - 2);
    expect(seen[1]).toEqual(below.map(turn).sort((a, b) => a - b));
    expect(seen[3]).toEqual(below.map((p) => 24 - turn(p)).sort((a, b) => a - b));
  });

  it('two of opposite orders see all around', () => {
    const seen = seenFromMiddle(own(emergingConv(options)));
    for (const near of [6, 7, 8, 11, 12, 13, 16, 17, 18]) expect(seen).toContain(near);
  });
});

it('a periodic convolution does not know where the edge is', () => {
  const conv = own(
    new PeriodicConv({ image: { height: 4, width: 5, channels: 2 }, dtype: 'float64', seed: 2 }),
  );
  const values = fixture(3)(40);
  const moved = values.map((_, k) => {
    const [h, w, c] = [Math.floor(k / 10), Math.floor(k / 2) % 5, k % 2];
    return values[(((h + 3) % 4) * 5 + ((w + 2) % 5)) * 2 + c]!;
  });
  scope(() => {
    const of = (x: Float64Array) => conv.forward(tensorOfArray(x, [1, 40])).y.toArray();
    const [plain, shifted] = [of(values), of(moved)];
    shifted.forEach((value, k) => {
      const [h, w, c] = [Math.floor(k / 10), Math.floor(k / 2) % 5, k % 2];
      expect(value).toBeCloseTo(plain[(((h + 3) % 4) * 5 + ((w + 2) % 5)) * 2 + c]!, 12);
    });
  });
});

describe.each(['emerging', 'periodic'] as const)('Glow with %s convolutions', (permutation) => {
  it('learns by a recorded step, with rebuilt activations, and comes back', async () => {
    const image = { height: 4, width: 4, channels: 1 };
    const rows = Uint8Array.from(fixture(4)(32 * 16), (v) => 100 + Math.floor(40 * v));
    const flow = own(glow({ image, permutation, scales: 1, transforms: 2, hidden: 4, seed: 3 }));
    const { compiled, history, memory } = await fit(
      flow,
      { data: rows, rows: 32, cols: 16 },
      { optimizer: adam({ lr: 1e-2 }), batchSize: 16, epochs: 4, memory: 'invertible' },
    );
    expect([compiled, memory]).toEqual([true, 'invertible']);
    expect(history.at(-1)!.trainLoss).toBeLessThan(history[0]!.trainLoss);
    scope(() => {
      const x = tensorOfArray(Float32Array.from(rows.slice(0, 48)), [3, 16]);
      const back = flow.inverse(flow.forward(x).y).x.toArray();
      back.forEach((value, k) => {
        expect(Math.abs(value - rows[k]!)).toBeLessThan(0.01);
      });
    });
  });
});

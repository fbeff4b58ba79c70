import { afterAll, describe, expect, it } from 'vitest';
import {
  Affine,
  adam,
  Chain,
  Elementwise,
  Flow,
  fit,
  Invert,
  inpaint,
  Logit,
  MaskedAutoregressive,
  memory,
  nice,
  StandardNormal,
} from '../../lib';
import { Bijection, type Forward, type Inverse } from '../../lib/bijections/bijection';
import type { Config } from '../../lib/nn/module';
import { expand, full, matmul, sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { randomize } from '../bijections/cases';
import { fixture } from '../reference/close';

/** y = x·A, of which the conditional mode is known: a Gaussian with precision A·Aᵀ. */
class Linear3 extends Bijection {
  override readonly features = 3;
  readonly matrix: Tensor;
  constructor(readonly values: readonly number[]) {
    super();
    this.matrix = this.own(tensorOfArray(Float64Array.from(values), [3, 3]));
  }
  protected override mapForward(x: Tensor): Forward {
    return scope(() => ({
      y: matmul(x, this.matrix),
      logDet: expand(sum(full([1], 0, 'float64')), [x.rows]),
    }));
  }
  protected override mapInverse(): Inverse {
    throw new Error('not asked for');
  }
  config(): Config {
    return { kind: 'linear3' };
  }
}

const A = [1.2, 0.4, -0.3, 0, 0.9, 0.5, 0, 0, 1.1];
const gaussian = new Flow({ base: new StandardNormal(3, 'float64'), bijection: new Linear3(A) });

const pixels = new Flow({
  base: new StandardNormal(4),
  bijection: (() => {
    const map = new MaskedAutoregressive({ features: 4, hidden: [8], activation: 'tanh' });
    randomize(map, 3, 0.3);
    return map;
  })(),
  preprocessing: new Chain([Affine.uniform(4, 1 / 16, 0), new Logit(4, 0.05)]),
  dequantization: { levels: 16 },
});
const conditional = new Flow({
  base: new StandardNormal(2),
  bijection: new MaskedAutoregressive({
    features: 2,
    hidden: [4],
    contextFeatures: 1,
    zeroInitialized: false,
  }),
});
afterAll(() => {
  for (const flow of [gaussian, pixels, conditional]) flow.dispose();
});

/** Precision matrix A·Aᵀ of the Gaussian. */
const precision = (i: number, j: number) =>
  [0, 1, 2].reduce((total, k) => total + A[3 * i + k]! * A[3 * j + k]!, 0);

/** NICE's α_i. */
const papers = (i: number) => 10 / (100 + i);

describe('inpaint', () => {
  it('climbs to the conditional mode where there is no noise', async () => {
    const given = 1.7;
    const rows = [Number.NaN, given, Number.NaN];
    const { x, logProb } = await inpaint(gaussian, [rows], [[0, 1, 0]], {
      noise: 0,
      iterations: 400,
      stepSize: () => 0.3,
    });
    // The mode x_H solves Λ_HH x_H = −Λ_HO x_O, here of two unknowns.
    const [a, b, d] = [precision(0, 0), precision(0, 2), precision(2, 2)];
    const [u, v] = [-precision(0, 1) * given, -precision(2, 1) * given];
    const determinant = a * d - b * b;
    const [first, last] = [(u * d - b * v) / determinant, (a * v - b * u) / determinant];
    const got = x.toArray();
    expect(Math.abs(first) + Math.abs(last)).toBeGreaterThan(0.3);
    expect(got[0]).toBeCloseTo(first, 8);
    expect(got[1]).toBe(given);
    expect(got[2]).toBeCloseTo(last, 8);
    const expected = scope(() => gaussian.logProb([[first, given, last]]).toArray());
    expect(logProb.toArray()[0]).toBeCloseTo(expected[0]!, 8);
    x.dispose();
    logProb.dispose();
  });

  it('takes the steps of the paper: the first two, by hand', async () => {
    const seen: number[] = [];
    const { x, logProb } = await inpaint(gaussian, [[0, 0, 0]], [[0, 0, 0]], {
      noise: 0,
      iterations: 2,
      stepSize: papers,
      seed: 5,
      onIteration: (_, mean) => seen.push(mean),
    });
    // Backwards: x₂ = (I − α₁Λ)(I − α₀Λ)x₀; log p before each step is that of x₀ and x₁.
    const apply = (z: number[], alpha: number) =>
      z.map(
        (value, i) =>
          value - alpha * z.reduce((total, other, j) => total + precision(i, j) * other, 0),
      );
    const logp = (z: number[]) => scope(() => gaussian.logProb([z]).toArray()[0]!);
    const { x: once, logProb: unused } = await inpaint(gaussian, [[0, 0, 0]], [[0, 0, 0]], {
      noise: 0,
      iterations: 1,
      stepSize: papers,
      seed: 5,
    });
    const expected = apply(once.toArray(), 10 / 101);
    for (const [i, value] of x.toArray().entries()) expect(value).toBeCloseTo(expected[i]!, 12);
    expect(seen[1]).toBeCloseTo(logp(once.toArray()), 10);
    expect(seen[1]).toBeGreaterThan(seen[0]!);
    for (const tensor of [x, logProb, once, unused]) tensor.dispose();
  });

  it('takes steps as long as the interval is in the space of the chain', async () => {
    // The identity after x/10 − 1 · 4: an interval of 10 that is 4 long. One step from the start z₀ is z₀ − 4·α·z₀.
    const stretched = new Flow({
      base: new StandardNormal(2, 'float64'),
      bijection: new Chain([], 2),
      preprocessing: Affine.uniform(2, 0.4, -2, 'float64'),
    });
    const options = { noise: 0, seed: 3, range: [0, 10], stepSize: () => 0.05 } as const;
    const following = async (iterations: number) => {
      const { x, logProb } = await inpaint(stretched, [[5, 5]], [[0, 0]], {
        ...options,
        iterations,
      });
      const z = x.toArray().map((value) => 0.4 * value - 2);
      x.dispose();
      logProb.dispose();
      return z;
    };
    const [one, two] = [await following(1), await following(2)];
    for (const [i, value] of two.entries()) expect(value).toBeCloseTo((one[i] as number) * 0.8, 10);
    expect(Math.abs(one[0] as number)).toBeGreaterThan(0.05);
    stretched.dispose();
  });

  it('holds known pixels, stays within the levels, and repeats with the seed', async () => {
    const rows = Uint8Array.from(fixture(6)(8).map((v) => 7 + 3 * v));
    const known = [1, 0, 0, 1, 0, 1, 1, 0];
    const draw = async (seed: number) => {
      const { x, logProb } = await inpaint(pixels, rows, known, { iterations: 30, seed });
      const values = x.toArray();
      x.dispose();
      logProb.dispose();
      return values;
    };
    const first = await draw(1);
    for (const [i, value] of first.entries()) {
      if (known[i] === 1) expect(value).toBe(rows[i]);
      expect(Number.isInteger(value) && value >= 0 && value <= 15).toBe(true);
    }
    expect(await draw(1)).toEqual(first);
    expect(await draw(2)).not.toEqual(first);
  });

  it('completes rows by a flow with sharp scales, from any start, where the steps of the paper run away', async () => {
    // The second half mirrors the first to 1e-3: a trained NICE stretches that by some hundreds.
    const [features, half, count] = [8, 4, 2000];
    const draw = fixture(31);
    const first = draw(count * half).map((v) => 1 / (1 + Math.exp(-2 * v)));
    const noise = draw(count * half, 1e-3);
    const data = Float32Array.from({ length: count * features }, (_, k) => {
      const [n, i] = [Math.floor(k / features), k % features];
      const at = n * half + (i % half);
      return i < half ? (first[at] as number) : 1 - (first[at] as number) + (noise[at] as number);
    });
    const flow = nice({ features, hidden: [32], seed: 1 });
    const table = { data, rows: count, cols: features };
    await fit(flow, table, { steps: 1500, seed: 1, optimizer: adam({ lr: 3e-3 }) });
    const rows = { data: data.slice(0, 16 * features), rows: 16, cols: features };
    const known = [1, 1, 1, 1, 0, 0, 0, 0];
    const options = { range: [0, 1], iterations: 300 } as const;
    const own = scope(() => flow.logProb(rows).toArray());
    for (const noise of [0, 0.5]) {
      const climbs: number[] = [];
      const onIteration = (_: number, logProb: number) => climbs.push(logProb);
      const { x, logProb } = await inpaint(flow, rows, known, { ...options, noise, onIteration });
      const filled = x.toArray();
      for (let k = 0; k < filled.length; k++)
        expect(Math.abs((filled[k] as number) - (rows.data[k] as number))).toBeLessThan(0.02);
      for (const [n, value] of logProb.toArray().entries())
        expect(value).toBeGreaterThan((own[n] as number) - 1);
      // The best place of each row: never a worse one.
      expect(climbs.every((value, i) => i === 0 || value >= (climbs[i - 1] as number))).toBe(true);
      x.dispose();
      logProb.dispose();
    }
    const ran = await inpaint(flow, rows, known, { ...options, stepSize: papers }).then(
      ({ x, logProb }) => {
        const mean = logProb.toArray().reduce((sum, value) => sum + value / 16, 0);
        x.dispose();
        logProb.dispose();
        return mean;
      },
      () => -Infinity,
    );
    expect(ran).toBeLessThan(Math.min(...own));
    flow.dispose();
  });

  it('goes back from places where log p is no number', async () => {
    // log(eˣ − 1) is none below 0, half a step from the mode.
    const wild = new Flow({
      base: new StandardNormal(2, 'float64'),
      bijection: new Chain(
        [new Invert(new Elementwise({ features: 2, map: 'softplus', dtype: 'float64' }))],
        2,
      ),
    });
    const { x, logProb } = await inpaint(wild, [[0, 1]], [0, 1], {
      range: [-4, 6],
      iterations: 400,
      seed: 1,
    });
    const [at] = x.toArray() as [number];
    const best = Math.max(
      ...Array.from({ length: 4000 }, (_, k) =>
        scope(() => wild.logProb([[(k + 1) / 1000, 1]]).item()),
      ),
    );
    expect(at).toBeGreaterThan(0);
    expect(logProb.item()).toBeCloseTo(best, 3);
    for (const tensor of [x, logProb]) tensor.dispose();
    wild.dispose();
  });

  it('takes one mask for all rows and a context', async () => {
    const { x, logProb } = await inpaint(
      conditional,
      [
        [1, 2],
        [3, 4],
      ],
      [0, 1],
      {
        context: [[0.5]],
        iterations: 5,
      },
    );
    expect(x.shape).toEqual([2, 2]);
    const values = x.toArray();
    expect([values[1], values[3]]).toEqual([2, 4]);
    expect(values[0]).not.toBe(1);
    x.dispose();
    logProb.dispose();
  });

  it('stops when told to', async () => {
    const abort = new AbortController();
    let count = 0;
    const { x, logProb } = await inpaint(gaussian, [[0, 0, 0]], [[0, 1, 0]], {
      signal: abort.signal,
      onIteration: () => {
        if (++count === 3) abort.abort();
      },
    });
    expect(count).toBe(3);
    x.dispose();
    logProb.dispose();
  });

  it('says what does not fit, and when the climb runs away', async () => {
    const rows = [[0, 0, 0]];
    await expect(inpaint(gaussian, rows, [[0, 2, 0]])).rejects.toThrow(
      /known: expected 0 and 1, got 2 at 1/,
    );
    await expect(
      inpaint(gaussian, rows, [
        [0, 1, 0],
        [0, 1, 0],
      ]),
    ).rejects.toThrow(/known: expected 1 or 1 rows, got 2/);
    await expect(inpaint(gaussian, rows, [[0, 1, 0]], { iterations: 0 })).rejects.toThrow(
      /iterations/,
    );
    await expect(inpaint(conditional, [[0, 0]], [[0, 1]])).rejects.toThrow(
      /context: expected rows of 1 numbers/,
    );
    await expect(
      inpaint(gaussian, rows, [[0, 1, 0]], { stepSize: () => 1e200 }),
    ).rejects.toMatchObject({
      code: 'NUMERIC',
      message: expect.stringMatching(/log p at iteration/),
    });
  });

  it('leaves no tensor behind', async () => {
    const before = memory().buffers;
    const { x, logProb } = await inpaint(pixels, new Uint8Array(4), [1, 0, 0, 1], {
      iterations: 3,
    });
    x.dispose();
    logProb.dispose();
    await expect(
      inpaint(gaussian, [[0, 0, 0]], [[0, 1, 0]], { stepSize: () => 1e200 }),
    ).rejects.toThrow();
    expect(memory().buffers).toBe(before);
  });
});

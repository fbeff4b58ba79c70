/** Inpainting by draws: the chain in latent space comes to the distribution that it says. */
import { afterAll, describe, expect, it } from 'vitest';
import {
  Affine,
  Chain,
  DenseLinear,
  Flow,
  inpaint,
  Logit,
  MaskedAutoregressive,
  memory,
  StandardNormal,
} from '../../lib';
import { randomize } from '../bijections/cases';

const linear = new DenseLinear({ channels: 3, dtype: 'float64' });
const W = [1.2, 0.4, -0.3, 0.2, 0.9, 0.5, -0.4, 0.1, 1.1];
linear.weight.write(Float64Array.from(W));
const gaussian = new Flow({ base: new StandardNormal(3, 'float64'), bijection: linear });

const pixels = new Flow({
  base: new StandardNormal(4),
  bijection: (() => {
    const map = new MaskedAutoregressive({ features: 4, hidden: [8], contextFeatures: 1 });
    randomize(map, 3, 0.3);
    return map;
  })(),
  preprocessing: new Chain([Affine.uniform(4, 1 / 16, 0), new Logit(4, 0.05)]),
  dequantization: { levels: 16 },
});
afterAll(() => {
  for (const flow of [gaussian, pixels]) flow.dispose();
});

/** Inverse of a symmetric 2 × 2 and what it makes of a vector. */
function solve2([a, b, d]: readonly [number, number, number], [u, v]: readonly [number, number]) {
  const determinant = a * d - b * b;
  return {
    mean: [(d * u - b * v) / determinant, (a * v - b * u) / determinant],
    variance: [d / determinant, a / determinant],
    covariance: -b / determinant,
  };
}

describe('inpaint with sample', () => {
  it.each([1, 0.6])(
    'draws the unknown features of a Gaussian with their conditional mean and covariance, temperature %s',
    async (temperature) => {
      const [count, tolerance, given] = [800, 0.2, 1.3];
      const { x, logProb } = await inpaint(
        gaussian,
        Array.from({ length: count }, () => [9, given, 9]),
        [[0, 1, 0]],
        { sample: true, iterations: 300, tolerance, temperature, seed: 4 },
      );
      // y = W·x: x has the precision WᵀW/τ²; what is known is known to the tolerance. Of the middle feature, integrated out:
      // precision P = Λ + 1/σ² there, of the others Λ_ij − Λ_i1 Λ_1j/P.
      const precision = (i: number, j: number) =>
        [0, 1, 2].reduce((total, k) => total + W[3 * k + i]! * W[3 * k + j]!, 0) / temperature ** 2;
      const middle = precision(1, 1) + tolerance ** -2;
      const left = (i: number, j: number) =>
        precision(i, j) - (precision(i, 1) * precision(1, j)) / middle;
      const pull = (i: number) => (-precision(i, 1) * given * tolerance ** -2) / middle;
      const wanted = solve2([left(0, 0), left(0, 2), left(2, 2)], [pull(0), pull(2)]);
      expect(Math.abs(wanted.mean[0]!) + Math.abs(wanted.mean[1]!)).toBeGreaterThan(0.5);

      const values = x.toArray();
      const column = (i: number) => values.filter((_, k) => k % 3 === i);
      expect(new Set(column(1))).toEqual(new Set([given]));
      const [first, last] = [column(0), column(2)];
      const mean = (of: number[]) => of.reduce((total, v) => total + v, 0) / count;
      const covariance = (a: number[], b: number[]) =>
        mean(a.map((v, n) => (v - mean(a)) * (b[n]! - mean(b))));
      // Four standard errors of 800 draws.
      const error = (variance: number) => 4 * Math.sqrt(variance / count);
      const [v, w] = wanted.variance as [number, number];
      expect(Math.abs(mean(first) - wanted.mean[0]!)).toBeLessThan(error(v));
      expect(Math.abs(mean(last) - wanted.mean[1]!)).toBeLessThan(error(w));
      expect(Math.abs(covariance(first, first) - v)).toBeLessThan(error(2 * v * v));
      expect(Math.abs(covariance(last, last) - w)).toBeLessThan(error(2 * w * w));
      const both = wanted.covariance;
      expect(Math.abs(covariance(first, last) - both)).toBeLessThan(error(v * w + both * both));
      const scored = gaussian.logProb(x);
      expect(logProb.toArray()).toEqual(scored.toArray());
      for (const tensor of [x, logProb, scored]) tensor.dispose();
    },
  );

  it('holds what is known, draws integers, and the same with the same seed', async () => {
    const before = memory().buffers;
    const rows = new Uint8Array([3, 15, 0, 9, 1, 2, 14, 5]);
    const draws = [];
    const levels: number[] = [];
    for (const seed of [1, 1, 2]) {
      const { x, logProb } = await inpaint(pixels, rows, [[1, 0, 1, 0]], {
        ...{ sample: true, iterations: 30, seed, context: [[0.5]] },
        onIteration: (_, level) => levels.push(level),
      });
      draws.push(x.toArray());
      expect(logProb.toArray().every(Number.isFinite)).toBe(true);
      x.dispose();
      logProb.dispose();
    }
    const [one, same, other] = draws as [number[], number[], number[]];
    expect(same).toEqual(one);
    expect(other).not.toEqual(one);
    for (const [i, value] of one.entries()) {
      if (i % 2 === 0) expect(value).toBe(rows[i]);
      expect(Number.isInteger(value) && value >= 0 && value < 16).toBe(true);
    }
    expect(levels).toHaveLength(90);
    expect(memory().buffers).toBe(before);
  });

  it.each([
    [
      { stepSize: () => 1 },
      /\[inpaint\] stepSize: expected none with sample, got one: leave it out/,
    ],
    [{ noise: 0.5 }, /\[inpaint\] noise: expected none with sample/],
    [{ tolerance: 0 }, /\[inpaint\] tolerance: expected a number > 0, got 0/],
    [{ temperature: -1 }, /\[inpaint\] temperature: expected a number > 0, got -1/],
  ])('error: %o', async (options, says) => {
    await expect(
      inpaint(gaussian, [[0, 0, 0]], [[0, 1, 0]], { sample: true, ...options }),
    ).rejects.toThrow(says);
  });

  it.each(['tolerance', 'temperature'])('error: %s of a climb', async (what) => {
    await expect(inpaint(gaussian, [[0, 0, 0]], [[0, 1, 0]], { [what]: 0.5 })).rejects.toThrow(
      `[inpaint] ${what}: expected none without sample, got one: pass sample: true`,
    );
  });
});

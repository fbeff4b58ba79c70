import { afterAll, describe, expect, it } from 'vitest';
import {
  Affine,
  alongDirection,
  attributeDirections,
  Chain,
  decode,
  encode,
  Flow,
  interpolate,
  MaskedAutoregressive,
  memory,
  StandardNormal,
  scope,
} from '../../lib';
import { randomize } from '../bijections/cases';
import { fixture } from '../reference/close';

/** A flow whose map is known: y = a·x + b by feature, after x/4 of integers 0 … 3. */
function linearFlow() {
  return new Flow({
    base: new StandardNormal(2, 'float64'),
    bijection: new Affine({
      logScale: [Math.log(2), Math.log(3)],
      shift: [1, -1],
      dtype: 'float64',
    }),
    preprocessing: Affine.uniform(2, 1 / 4, 0, 'float64'),
    dequantization: { levels: 4 },
  });
}

function curvedFlow(contextFeatures = 0) {
  const bijection = new MaskedAutoregressive({
    features: 3,
    hidden: [8],
    activation: 'tanh',
    contextFeatures,
    dtype: 'float64',
  });
  randomize(bijection, 4);
  return new Flow({ base: new StandardNormal(3, 'float64'), bijection: new Chain([bijection]) });
}

const flows = { linear: linearFlow(), curved: curvedFlow(), conditional: curvedFlow(2) };
afterAll(() => {
  for (const flow of Object.values(flows)) flow.dispose();
});
const array = (make: () => { toArray(): number[] }) => scope(() => make().toArray());

describe('encode and decode', () => {
  it('take an integer for the middle of its bin, and give it back', () => {
    const rows = Uint8Array.of(0, 3, 2, 1);
    const z = array(() => encode(flows.linear, rows));
    const expected = [0, 3, 2, 1].map((k, i) => ((k + 0.5) / 4) * [2, 3][i % 2]! + [1, -1][i % 2]!);
    for (const [i, value] of z.entries()) expect(value).toBeCloseTo(expected[i]!, 12);
    expect(array(() => decode(flows.linear, z))).toEqual([0, 3, 2, 1]);
    const continuous = array(() => decode(flows.linear, z, { quantize: false }));
    for (const [i, value] of continuous.entries()) expect(value).toBeCloseTo(rows[i]! + 0.5, 12);
  });

  it('are inverse to each other, with context too', () => {
    const x = fixture(3)(12);
    const context = fixture(4)(8);
    const z = array(() => encode(flows.conditional, x, { context }));
    const back = array(() => decode(flows.conditional, z, { context }));
    for (const [i, value] of back.entries()) expect(value).toBeCloseTo(x[i]!, 10);
    const one = array(() => encode(flows.conditional, x, { context: context.subarray(0, 2) }));
    expect(one.slice(0, 3)).toEqual(z.slice(0, 3));
    expect(one.slice(3, 6)).not.toEqual(z.slice(3, 6));
  });
});

describe('interpolate', () => {
  const [a, b] = [fixture(5)(6), fixture(6)(6)];

  it('goes straight from a to b in the latent space', () => {
    const x = array(() => interpolate(flows.curved, a, b, 5));
    const codes = array(() => encode(flows.curved, x));
    const [from, to] = [a, b].map((rows) => array(() => encode(flows.curved, rows)));
    for (let n = 0; n < 2; n++)
      for (let k = 0; k < 5; k++)
        for (let i = 0; i < 3; i++)
          expect(codes[(n * 5 + k) * 3 + i]).toBeCloseTo(
            from![n * 3 + i]! + (k / 4) * (to![n * 3 + i]! - from![n * 3 + i]!),
            9,
          );
    for (let i = 0; i < 3; i++) {
      expect(x[i]).toBeCloseTo(a[i]!, 9);
      expect(x[4 * 3 + i]).toBeCloseTo(b[i]!, 9);
    }
  });

  it('goes along an arc: equal angles, distances evenly between those of the ends', () => {
    const x = array(() =>
      interpolate(flows.curved, a.subarray(0, 3), b.subarray(0, 3), 4, { path: 'spherical' }),
    );
    const codes = array(() => encode(flows.curved, x));
    const row = (k: number) => codes.slice(3 * k, 3 * k + 3);
    const dot = (u: number[], v: number[]) => u.reduce((sum, value, i) => sum + value * v[i]!, 0);
    const norm = (u: number[]) => Math.sqrt(dot(u, u));
    const angle = (u: number[], v: number[]) => Math.acos(dot(u, v) / norm(u) / norm(v));
    const total = angle(row(0), row(3));
    expect(total).toBeGreaterThan(0.3);
    for (let k = 0; k < 3; k++) expect(angle(row(k), row(k + 1))).toBeCloseTo(total / 3, 8);
    for (let k = 0; k < 4; k++)
      expect(norm(row(k))).toBeCloseTo(norm(row(0)) + (k / 3) * (norm(row(3)) - norm(row(0))), 8);
  });

  it('between opposite or equal codes goes straight, without NaN', () => {
    const same = array(() => interpolate(flows.curved, a, a, 3, { path: 'spherical' }));
    for (let k = 0; k < 3; k++)
      for (let i = 0; i < 3; i++) expect(same[k * 3 + i]).toBeCloseTo(a[i]!, 8);
  });

  it('says what does not fit', () => {
    expect(() => interpolate(flows.curved, a, b, 1)).toThrow(
      /steps: expected a whole number from 2, got 1/,
    );
    expect(() => interpolate(flows.curved, a, b.subarray(3), 3)).toThrow(
      /b: expected 2 rows, as a, got 1/,
    );
  });
});

describe('attribute directions', () => {
  const x = fixture(7)(9 * 3);
  const labels = [0, 1, 2, 1, 0, 0, 2, 1, 1];

  it('are the mean code of a class minus that of the others', () => {
    const codes = array(() => encode(flows.curved, x));
    const got = array(() => attributeDirections(flows.curved, x, labels));
    for (let k = 0; k < 3; k++)
      for (let i = 0; i < 3; i++) {
        const mean = (own: boolean) => {
          const rows = labels.flatMap((label, n) =>
            (label === k) === own ? [codes[n * 3 + i]!] : [],
          );
          return rows.reduce((sum, value) => sum + value, 0) / rows.length;
        };
        expect(got[k * 3 + i]).toBeCloseTo(mean(true) - mean(false), 12);
      }
  });

  it('move rows by multiples of them', () => {
    const direction = [0.5, -1, 2];
    const moved = array(() =>
      alongDirection(flows.curved, x.subarray(0, 6), direction, [-1, 0, 2]),
    );
    const codes = array(() => encode(flows.curved, moved));
    const before = array(() => encode(flows.curved, x.subarray(0, 6)));
    for (let n = 0; n < 2; n++)
      for (const [k, amount] of [-1, 0, 2].entries())
        for (let i = 0; i < 3; i++)
          expect(codes[(n * 3 + k) * 3 + i]).toBeCloseTo(
            before[n * 3 + i]! + amount * direction[i]!,
            9,
          );
  });

  it('name labels that cannot be, and classes without rows', () => {
    expect(() => attributeDirections(flows.curved, x, labels, { classes: 2 })).toThrow(
      /labels\[2\]: expected a whole number from 0 to 1, got 2/,
    );
    expect(() => attributeDirections(flows.curved, x, labels, { classes: 4 })).toThrow(
      /rows of class 3: expected some, and some of others, got 0 of 9/,
    );
    expect(() => attributeDirections(flows.curved, x, [1])).toThrow(
      /labels: expected 9, one a row, got 1/,
    );
    expect(() => alongDirection(flows.curved, x, [1, 2], [0])).toThrow(
      /direction: expected 3 numbers, got 2/,
    );
  });
});

it('leaves no tensor behind', () => {
  const before = memory().buffers;
  const x = fixture(8)(6);
  interpolate(flows.curved, x, x, 3).dispose();
  attributeDirections(flows.curved, x, [0, 1]).dispose();
  alongDirection(flows.curved, x, [1, 1, 1], [0, 1]).dispose();
  encode(flows.conditional, x, { context: [1, 2] }).dispose();
  expect(memory().buffers).toBe(before);
});

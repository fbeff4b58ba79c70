/** MAF and IAF are each other's inverse: the same chain, read from either end; which direction is one pass is in the type. */
import { describe, expect, it } from 'vitest';
import { Chain, Invert, MaskedAutoregressive, Permutation } from '../../lib/bijections';
import { iaf, type MafOptions, made, maf } from '../../lib/flows';
import { native } from '../../lib/native';
import { setListener } from '../../lib/tensor/execute';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { randomize } from '../bijections/cases';
import { own } from '../disposables';
import { expectClose, fixture } from '../reference/close';
import { jacobian } from '../reference/differences';
import { slogdet } from '../reference/linalg';

const options: MafOptions = {
  features: 4,
  transforms: 3,
  hidden: [9],
  activation: 'tanh',
  dtype: 'float64',
};
const gate = { kind: 'gate', bias: 1 } as const;

/** Both flows with the same weights. */
function pair(extra: Partial<MafOptions> = {}) {
  const both = {
    maf: own(maf({ ...options, ...extra })),
    iaf: own(iaf({ ...options, ...extra })),
  };
  randomize(both.maf, 3);
  randomize(both.iaf, 3);
  return both;
}

/** The native ops that `body` runs. */
function opsOf(body: () => unknown): Set<string> {
  const names = new Set<string>();
  setListener((instruction) => names.add(native.ops[instruction[0] as number] as string));
  try {
    scope(() => void body());
  } finally {
    setListener(null);
  }
  return names;
}

describe.each([
  ['affine', {}],
  ['gated', { scale: gate }],
  ['random orders, residual', { permutation: 'random', hidden: [6, 6, 6], residual: true }],
] as [string, Partial<MafOptions>][])('%s', (_name, extra) => {
  const rows = fixture(5)(4 * 6);

  it('forward of one is inverse of the other, bit for bit, and the densities follow', () => {
    const both = pair(extra);
    scope(() => {
      const x = tensorOfArray(rows, [6, 4]);
      const scored = both.iaf.forward(x);
      const drawn = both.maf.inverse(x);
      expect([...scored.y.dataSync()]).toEqual([...drawn.x.dataSync()]);
      expect([...scored.logDet.dataSync()]).toEqual([...drawn.logDet.dataSync()]);
      const back = both.iaf.inverse(x);
      const there = both.maf.forward(x);
      expect([...back.x.dataSync()]).toEqual([...there.y.dataSync()]);
      // p_iaf(x) = N(maf's sample of the noise x) · |its Jacobian|.
      const density = scored.logDet.dataSync().map((logDet, n) => {
        let sum = logDet as number;
        for (const value of drawn.x.dataSync().subarray(4 * n, 4 * n + 4))
          sum -= 0.5 * (value as number) ** 2 + 0.5 * Math.log(2 * Math.PI);
        return sum;
      }) as Float64Array;
      expectClose(both.iaf.logProb(x).dataSync(), density, 20, 'log p');
    });
  });

  it('the density of an IAF is that of its draws, by their Jacobian from differences', () => {
    const { iaf: flow } = pair(extra);
    const noise = rows.subarray(0, 4);
    const draw = (z: Float64Array) =>
      scope(() =>
        Float64Array.from(flow.inverse(tensorOfArray(Float64Array.from(z), [1, 4])).x.dataSync()),
      );
    const x = draw(noise);
    const { logAbs: logAbsDet } = slogdet(jacobian(draw, noise).values, 4);
    expect(Math.abs(logAbsDet)).toBeGreaterThan(0.1);
    let wanted = -logAbsDet;
    for (const value of noise) wanted -= 0.5 * value ** 2 + 0.5 * Math.log(2 * Math.PI);
    const own = scope(() => flow.logProb(tensorOfArray(x, [1, 4])).item());
    // Differences are good to about the cube root of eps.
    expect(own).toBeCloseTo(wanted, 6);
  });

  it('one direction is a plain pass, the other one the incremental inverse', () => {
    const both = pair(extra);
    const x = own(tensorOfArray(rows, [6, 4]));
    const ops = {
      maf: [opsOf(() => both.maf.logProb(x)), opsOf(() => both.maf.sample(5, { seed: 1 }))],
      iaf: [opsOf(() => both.iaf.logProb(x)), opsOf(() => both.iaf.sample(5, { seed: 1 }))],
    };
    const inverts = (of: Set<string>) => of.has('made_inverse');
    expect(ops.maf.map(inverts)).toEqual([false, true]);
    expect(ops.iaf.map(inverts)).toEqual([true, false]);
  });
});

it('the types say which direction is one pass', () => {
  const both = pair();
  // These lines are the test: tsc refuses them where a type is wider.
  const scores: 'forward' = both.maf.fastDirection;
  const samples: 'inverse' = both.iaf.fastDirection;
  const single: 'forward' = own(made({ features: 3, hidden: [4] })).fastDirection;
  const step = own(new MaskedAutoregressive({ features: 3, hidden: [4], scale: gate }));
  const turned: 'inverse' = new Invert(step).fastDirection;
  const twice: 'forward' = new Invert(new Invert(step)).fastDirection;
  const neither: 'both' = new Invert(own(Permutation.reverse(3))).fastDirection as 'both';
  expect([scores, samples, single, turned, twice, neither]).toEqual([
    ...['forward', 'inverse', 'forward', 'inverse', 'forward', 'both'],
  ]);
  expect(new Chain([step, new Invert(step)]).fastDirection).toBe('both');
});

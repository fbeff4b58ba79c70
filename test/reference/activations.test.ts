import { describe, expect, it } from 'vitest';
import { type ActivationName, activations, erf, erfc, sigmoid, softplus } from './activations';
import { expectClose } from './close';
import { derivative } from './differences';

const positiveOnly = new Set<ActivationName>(['log', 'sqrt']);
const aboveMinusOne = new Set<ActivationName>(['log1p']);

describe('activations', () => {
  const names = Object.keys(activations) as ActivationName[];

  it.each(names)('%s: f′ and f″ are the derivatives of f and f′', (name) => {
    const { f, df, ddf } = activations[name];
    // No point within a step of the kink at 0.
    const points = [-3.1, -1.2, -0.4, 0.3, 0.9, 2.7].filter(
      (x) => (!positiveOnly.has(name) || x > 0) && (!aboveMinusOne.has(name) || x > -1),
    );
    for (const x of points) {
      const first = derivative((t) => f(x + t));
      expect(Math.abs(df(x) - first.value), `${name}′(${x})`).toBeLessThan(
        1e-10 * (1 + Math.abs(df(x))),
      );
      const second = derivative((t) => df(x + t));
      expect(Math.abs(ddf(x) - second.value), `${name}″(${x})`).toBeLessThan(
        1e-9 * (1 + Math.abs(ddf(x))),
      );
    }
  });

  it('erf and erfc have the tabulated values', () => {
    // Abramowitz and Stegun, table 7.1, and Wolfram functions for the tail.
    expectClose(
      [erf(0.5), erf(1), erf(2), erf(-1)],
      [0.5204998778130465, 0.8427007929497149, 0.9953222650189527, -0.8427007929497149],
      4,
      'erf',
    );
    expect(erfc(3) / 2.209049699858544e-5).toBeCloseTo(1, 13);
    expect(erfc(5) / 1.5374597944280349e-12).toBeCloseTo(1, 13);
    expect(erf(0)).toBe(0);
    expect(erf(2.9999999999)).toBeCloseTo(erf(3.0000000001), 13);
  });

  it('does not overflow far out', () => {
    expect(sigmoid(-800)).toBe(0);
    expect(sigmoid(800)).toBe(1);
    expect(softplus(800)).toBe(800);
    expect(softplus(-800)).toBe(0);
    expect(softplus(-40)).toBeCloseTo(Math.exp(-40), 30);
  });
});

/** Neural autoregressive, monotonic-network, sum-of-squares and Bernstein flows as a user holds them. */
import { describe, expect, it, vi } from 'vitest';
import {
  adam,
  bernsteinFlow,
  blockNaf,
  type Flow,
  fit,
  mean,
  memory,
  naf,
  type SolveReport,
  scope,
  sosFlow,
  umnn,
} from '../../lib';
import type { FloatDType } from '../../lib/dtype';
import { randomize } from '../bijections/cases';
import { fixture } from '../reference/close';
import { integrate1d, integrate2d } from '../reference/quadrature';

const recipes = {
  naf: (options: Parameters<typeof naf>[0]) => naf({ sigmoids: 4, ...options }),
  ddsf: (options: Parameters<typeof naf>[0]) => naf({ sigmoids: 3, sigmoidLayers: 2, ...options }),
  sosFlow: (options: Parameters<typeof naf>[0]) => sosFlow({ degree: 2, bound: 4, ...options }),
  bernsteinFlow: (options: Parameters<typeof naf>[0]) =>
    bernsteinFlow({ degree: 6, bound: 4, ...options }),
  blockNaf: ({ features, dtype = 'float32', contextFeatures = 0 }: Parameters<typeof naf>[0]) =>
    blockNaf({ features, hidden: [4, 3], transforms: 2, dtype, contextFeatures }),
  umnn: (options: Parameters<typeof naf>[0]) =>
    umnn({ integrand: [5], embedding: 2, bound: 4, ...options }),
};

function flowOf(
  kind: keyof typeof recipes,
  features: number,
  dtype: FloatDType = 'float64',
  contextFeatures = 0,
): Flow {
  const network = { hidden: [7], transforms: 2, activation: 'tanh', seed: 2 } as const;
  const flow = recipes[kind]({ ...network, features, dtype, contextFeatures });
  // A block network starts at random; with these numbers it would be too sharp for a coarse quadrature.
  if (kind !== 'blockNaf') randomize(flow, 12, 0.25);
  return flow;
}

describe.each(Object.keys(recipes) as (keyof typeof recipes)[])('%s', (kind) => {
  const density = (flow: Flow, context?: number) => (x: Float64Array) =>
    scope(() =>
      flow
        .logProb(x, context === undefined ? null : [[context]])
        .dataSync()
        .map(Math.exp),
    );

  it('integrates to 1 in one dimension', () => {
    using flow = flowOf(kind, 1);
    expect(integrate1d(density(flow), -60, 60, 120)).toBeCloseTo(1, 6);
  });

  it('integrates to 1 in two dimensions, whatever the context', () => {
    using flow = flowOf(kind, 2, 'float64', 1);
    expect(integrate2d(density(flow, 1.5), -32, 32, 24)).toBeCloseTo(1, 3);
  });

  it.each(['float32', 'float64'] as const)('has finite tails that fall, %s', (dtype) => {
    using flow = flowOf(kind, 2, dtype);
    for (const sign of [1, -1]) {
      const far = [10, 100, 1e4].map((r) => sign * r);
      const values = scope(() => flow.logProb(far.map((r) => [r, -r])).dataSync());
      expect([...values].every(Number.isFinite)).toBe(true);
      expect(values[0]).toBeLessThan(-5);
      expect(values[1]).toBeLessThan(values[0] as number);
      expect(values[2]).toBeLessThan(values[1] as number);
    }
  });

  it('samples what it scores, with a report of its roots', () => {
    const before = memory().buffers;
    {
      using flow = flowOf(kind, 3, 'float32');
      const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
      scope(() => {
        let most = 0;
        const onSolve = ({ iterations, residual, converged }: SolveReport) => {
          most = Math.max(...iterations.dataSync());
          expect([...converged.dataSync()].every((flag) => flag === 1)).toBe(true);
          expect(Math.max(...residual.dataSync())).toBeLessThan(64 * 2 ** -23);
        };
        const x = flow.sample(500, { seed: 4, onSolve });
        // The first guess of a UMNN, by a coarse rule, may be a root already.
        expect(most).toBeGreaterThan(kind === 'umnn' ? 0 : 1);
        expect(most).toBeLessThan(60);
        const there = flow.forward(x);
        const back = flow.inverse(there.y);
        const error = back.x.dataSync().map((v, k) => Math.abs(v - Number(x.dataSync()[k])));
        expect(Math.max(...error)).toBeLessThan(1e-3);
      });
      expect(warn).not.toHaveBeenCalled();
      warn.mockRestore();
    }
    expect(memory().buffers).toBe(before);
  });

  it('flags and counts rows that have no root', () => {
    using flow = flowOf(kind, 2, 'float32');
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    scope(() => {
      const { solve } = flow.inverse([
        [0.5, 0.1],
        [Number.NaN, 0],
        [0, Number.POSITIVE_INFINITY],
      ]);
      expect([...(solve as SolveReport).converged.dataSync()]).toEqual([1, 0, 0]);
    });
    expect(warn.mock.calls.map(([message]) => message)).toEqual([
      expect.stringMatching(/2 of 3 rows did not converge/),
    ]);
    warn.mockRestore();
  });
});

it('a NAF learns two modes from its start, in recorded steps', async () => {
  const draw = fixture(5);
  const mode = (k: number) => (k % 2 === 1 ? 0 : k % 8 < 4 ? 2 : -2);
  const x = draw(2 * 600, 0.25).map((v, k) => v + mode(k));
  using flow = naf({ features: 2, hidden: [16], transforms: 1, sigmoids: 6, seed: 3 });
  const score = () => scope(() => mean(flow.logProb(x)).item());
  const before = score();
  await fit(flow, x, { epochs: 40, batchSize: 100, optimizer: adam({ lr: 0.03 }), seed: 1 });
  // A Gaussian of the same moments has a mean of −2.3, the two modes about −0.9.
  expect(before).toBeLessThan(-3);
  expect(score()).toBeGreaterThan(-1.4);
});

/** Reports of numerical inverses: merged by compositions, given out and put into words by flows. */
import { describe, expect, it, vi } from 'vitest';
import {
  Affine,
  Bijection,
  Chain,
  Flow,
  type Forward,
  type Inverse,
  Invert,
  MultiScale,
  memory,
  mergeSolves,
  type SolveReport,
  StandardNormal,
  scope,
  type Tensor,
  unsolvedRows,
} from '../../lib';
import { tensorOfArray } from '../../lib/tensor/tensor';

/** y = x; the inverse says that row n took `steps` + n iterations and that it failed where x₀ is above `limit`. */
class Reporting extends Bijection {
  constructor(
    override readonly features: number,
    readonly steps: number,
    readonly limit: number,
    readonly residual = 0.5,
  ) {
    super();
  }

  protected override mapForward(x: Tensor): Forward {
    return { y: x, logDet: tensorOfArray(new Float64Array(x.rows), [x.rows]) };
  }

  protected override mapInverse(y: Tensor): Inverse {
    const first = y.dataSync().filter((_, k) => k % this.features === 0);
    const rows = Array.from(first, Number);
    return {
      x: y,
      logDet: tensorOfArray(new Float64Array(y.rows), [y.rows]),
      solve: {
        iterations: tensorOfArray(
          Int32Array.from(rows, (_, n) => this.steps + n),
          [y.rows],
        ),
        residual: tensorOfArray(
          Float64Array.from(rows, () => this.residual),
          [y.rows],
        ),
        converged: tensorOfArray(
          Int32Array.from(rows, (v) => (v > this.limit ? 0 : 1)),
          [y.rows],
        ),
      },
    };
  }

  override config() {
    return { kind: 'reporting' };
  }
}

const values = (report: SolveReport | undefined) =>
  report && [report.iterations, report.residual, report.converged].map((t) => [...t.dataSync()]);

const rows = (...first: number[]) =>
  tensorOfArray(Float32Array.from(first.flatMap((v) => [v, 0])), [first.length, 2]);

describe('merged reports', () => {
  it('take the most iterations, the largest residual, and converge where both do', () => {
    scope(() => {
      const a = new Reporting(2, 5, 1, 0.25);
      const b = new Reporting(2, 3, 2, 0.5);
      const step = new Chain([a, new Affine({ logScale: [0, 0], shift: [0, 0] }), b]).inverse(
        rows(0, 1.5, 2.5),
      );
      expect(values(step.solve)).toEqual([
        [5, 6, 7],
        [0.5, 0.5, 0.5],
        [1, 0, 0],
      ]);
      expect(step.solve?.iterations.dtype).toBe('int32');
      expect(step.solve?.converged.dtype).toBe('int32');
      expect(unsolvedRows(step.solve as SolveReport)).toBe(2);
    });
  });

  it('keep a residual that is no number', () => {
    scope(() => {
      const report = (residual: number) =>
        new Reporting(2, 1, 1, residual).inverse(rows(0)).solve as SolveReport;
      for (const [u, v] of [
        [Number.NaN, 1],
        [1, Number.NaN],
      ] as const)
        expect(values(mergeSolves(report(u), report(v)))?.[1]).toEqual([Number.NaN]);
    });
  });

  it('go through inverted maps and scales, and are missing where nothing was solved', () => {
    scope(() => {
      const inner = new Reporting(2, 4, 1);
      expect(values(new Invert(inner).forward(rows(0, 2)).solve)?.[2]).toEqual([1, 0]);
      expect(new Invert(inner).inverse(rows(0)).solve).toBeUndefined();
      expect(new Chain([inner]).forward(rows(0)).solve).toBeUndefined();
      const scales = new MultiScale([
        { bijection: new Reporting(2, 9, 1), channels: 2 },
        { bijection: new Reporting(1, 4, 5), channels: 1 },
      ]);
      // What leaves at the first scale stands first in y: x = (2, 0) comes from y = (0, 2).
      const y = tensorOfArray(Float32Array.of(0, 0, 0, 2), [2, 2]);
      expect(values(scales.inverse(y).solve)).toEqual([
        [9, 10],
        [0.5, 0.5],
        [1, 0],
      ]);
    });
  });
});

describe('a flow', () => {
  const flowOf = (limit: number, preprocessing: Bijection | null = null) =>
    new Flow({
      base: new StandardNormal(2),
      bijection: new Chain([new Reporting(2, 1, limit)]),
      preprocessing,
    });

  it('gives the report out and warns once, in words, with the number of rows', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    try {
      scope(() => {
        const step = flowOf(1, new Reporting(2, 7, 2)).inverse([
          [0, 0],
          [1.5, 0],
          [2.5, 0],
        ]);
        expect(values(step.solve)?.[2]).toEqual([1, 0, 0]);
        expect(values(step.solve)?.[0]).toEqual([7, 8, 9]);
      });
      expect(warn).toHaveBeenCalledTimes(1);
      expect(warn.mock.calls[0]?.[0]).toMatch(/^\[inverse\] 2 of 3 rows did not converge: /);
      scope(() => flowOf(Number.POSITIVE_INFINITY).inverse([[0, 0]]));
      expect(warn).toHaveBeenCalledTimes(1);
    } finally {
      warn.mockRestore();
    }
  });

  it('counts over all pieces of a large sample, and leaves nothing behind', () => {
    const before = memory().buffers;
    const flow = flowOf(0);
    const said: string[] = [];
    let counted = 0;
    scope(() => {
      const x = flow.sample(5000, {
        seed: 3,
        onWarning: (message) => said.push(message),
        onSolve: (report) => {
          expect(report.converged.shape).toEqual([5000]);
          counted = unsolvedRows(report);
        },
      });
      const above = x.dataSync().filter((v, k) => k % 2 === 0 && Number(v) > 0).length;
      expect(above).toBeGreaterThan(2000);
      expect(counted).toBe(above);
    });
    expect(said).toEqual([expect.stringMatching(new RegExp(`^\\[sample\\] ${counted} of 5000 `))]);
    flow.dispose();
    expect(memory().buffers).toBe(before);
  });

  it('warns of densities that a numerical inverse gave', () => {
    const flow = new Flow({
      base: new StandardNormal(2),
      bijection: new Invert(new Reporting(2, 1, 1)),
    });
    const said: string[] = [];
    scope(() =>
      flow.logProb(
        [
          [0, 0],
          [2, 0],
        ],
        null,
        { onWarning: (message) => said.push(message) },
      ),
    );
    expect(said).toEqual([expect.stringMatching(/^\[logProb\] 1 of 2 rows/)]);
  });
});

/** What the contract rows of increasing functions share. */
import { type MonotoneFamily, monotoneParams } from '../../lib/ops';
import type { Tensor } from '../../lib/tensor/tensor';
import type { Draw, OpCase } from '../contract/opCase';
import { monotonePoint, monotoneRoot } from '../reference/monotone';

interface Case {
  readonly n: number;
  readonly d: number;
  readonly family: MonotoneFamily;
  /** Of x; default 1. */
  readonly spread?: number;
  /** Of the parameters; default 1. */
  readonly scale?: number;
}

const cases: readonly Case[] = [
  { n: 1, d: 1, family: { kind: 'dsf', hidden: 1 } },
  { n: 3, d: 5, family: { kind: 'dsf', hidden: 4 } },
  { n: 4, d: 17, family: { kind: 'dsf', hidden: 9, leastSlope: 0.1 }, spread: 20 },
  { n: 70, d: 2, family: { kind: 'dsf', hidden: 3 } },
  { n: 3, d: 5, family: { kind: 'dsf', hidden: 3, layers: 2 } },
  { n: 2, d: 9, family: { kind: 'dsf', hidden: 2, layers: 3 }, spread: 5 },
  { n: 3, d: 5, family: { kind: 'sumOfSquares', squares: 2, degree: 2 }, scale: 0.5 },
  {
    n: 3,
    d: 17,
    family: { kind: 'sumOfSquares', squares: 3, degree: 1, bound: 1.3, leastSlope: 0.05 },
  },
  { n: 2, d: 3, family: { kind: 'sumOfSquares', squares: 1, degree: 0 } },
  { n: 3, d: 5, family: { kind: 'bernstein', degree: 6, bound: 4 } },
  { n: 3, d: 17, family: { kind: 'bernstein', degree: 3, bound: 1.3, leastSlope: 0.05 } },
  { n: 2, d: 3, family: { kind: 'bernstein', degree: 1 } },
  { n: 3, d: 5, family: { kind: 'logisticMixture', components: 4 } },
  { n: 4, d: 9, family: { kind: 'logisticMixture', components: 3, bound: 1.5 }, spread: 20 },
  { n: 2, d: 2, family: { kind: 'logisticMixture', components: 1 } },
];

/** For the inverse: the roots of the reference take some 40 evaluations each, and a gradient by differences takes many. */
const roots: readonly Case[] = [
  { n: 2, d: 3, family: { kind: 'dsf', hidden: 3 } },
  { n: 17, d: 1, family: { kind: 'dsf', hidden: 1 }, spread: 20 },
  { n: 1, d: 2, family: { kind: 'dsf', hidden: 2, layers: 2 } },
  { n: 2, d: 3, family: { kind: 'sumOfSquares', squares: 2, degree: 1 }, scale: 0.5 },
  { n: 1, d: 5, family: { kind: 'bernstein', degree: 3, bound: 1.3, leastSlope: 0.05 } },
  { n: 2, d: 3, family: { kind: 'logisticMixture', components: 3 }, spread: 5 },
];

/** x (or y) away from ±bound by 0.05: f″ jumps there. */
const aside =
  ({ family, spread = 1 }: Case, centre: number) =>
  (draw: Draw, length: number) =>
    draw(length, spread).map((v) => {
      const smooth = family.kind === 'dsf' || family.kind === 'logisticMixture';
      const bound = smooth ? Number.POSITIVE_INFINITY : (family.bound ?? 10);
      const away = Math.abs(v) - bound;
      return Math.abs(away) < 0.05 ? v * 0.9 : v + centre;
    });

export function monotoneCases(
  inverse: boolean,
  run: (x: Tensor, params: Tensor, family: MonotoneFamily) => readonly Tensor[],
): OpCase[] {
  return (inverse ? roots : cases).map((test) => {
    const { n, d, family, scale = 1 } = test;
    const each = monotoneParams(family);
    const { kind, ...sizes } = family;
    return {
      name: `${kind} ${Object.values(sizes).join(' ')}, ${n} × ${d}`,
      inputs: [
        { shape: [n, d], values: aside(test, 0) },
        { shape: [n, d * each], values: (draw, length) => draw(length, scale) },
      ],
      run: (x, params) => run(x!, params!, family),
      expected: (x, params) => {
        const logDet = new Float64Array(n);
        const values = x!.map((value, i) => {
          const p = params!.subarray(i * each, (i + 1) * each);
          const root = inverse ? monotoneRoot(family, value, p) : value;
          const { y, logSlope } = monotonePoint(family, root, p);
          logDet[Math.floor(i / d)]! += inverse ? -logSlope : logSlope;
          return inverse ? root : y;
        });
        return [
          { shape: [n, d], values },
          { shape: [n], values: logDet, dtype: 'float64' },
        ];
      },
      // Terms of up to |a·x| ≈ 60 in an exponent, for x of some 20; a root has the rounding of f over f′.
      units: (inverse ? 400 : 100) + d,
      gradientUnits: 4000,
      second: 'unsupported',
    };
  });
}

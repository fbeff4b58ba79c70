import {
  type SplineKind,
  type SplineTails,
  spline,
  splineInverse,
  splineParameters,
} from '../../lib/ops';
import type { OpCase, OpContract, Values } from '../contract/opCase';
import { f32 } from '../contract/opContract';
import { type SplineCase, splineRoot, splineValue } from '../reference/splines';

/** Within the box of ±1.5 and beyond it, away from both ends. */
const places: Values = (draw, length) =>
  draw(length).map((value) =>
    Math.abs(Math.abs(value) - 1.5) < 0.1 ? value - 0.3 * Math.sign(value) : value,
  );

const rows: readonly (readonly [SplineKind, SplineTails, number, number, number, boolean?])[] = [
  // kind, tails, bins, N, D, one row of numbers
  ['rationalQuadratic', 'linear', 8, 1, 9],
  ['rationalQuadratic', 'learned', 3, 3, 2, true],
  ['rationalQuadratic', 'circular', 3, 2, 2],
  ['rationalQuadratic', 'learned', 1, 1, 2],
  ['quadratic', 'linear', 4, 1, 4],
  ['quadratic', 'learned', 2, 1, 3],
  ['quadratic', 'circular', 3, 2, 2],
  ['linear', 'linear', 5, 1, 4],
  ['linear', 'learned', 2, 1, 3],
  ['cubic', 'linear', 4, 2, 3],
  ['cubic', 'learned', 3, 1, 4],
  ['cubic', 'circular', 3, 2, 2],
];

const cases: OpCase[] = rows.flatMap(([kind, tails, bins, n, d, shared = false]) => {
  const options: SplineCase = { kind, tails, bins, bound: 1.5 };
  const count = splineParameters(options);
  const inputs = [
    { shape: [n, d], values: places },
    { shape: [shared ? 1 : n, d * count] },
  ] as const;
  const own = (p: Float64Array, k: number) => {
    const at = (shared ? k % d : k) * count;
    return [...p.subarray(at, at + count)];
  };
  const logDetOf = (slopes: readonly number[]) => {
    const logDet = new Float64Array(n);
    slopes.forEach((slope, k) => {
      logDet[Math.floor(k / d)]! += slope;
    });
    return { shape: [n], values: logDet, dtype: 'float64' } as const;
  };
  const name = `${kind}, ${tails} tails, ${bins} bins, ${n} × ${d}${shared ? ', one row' : ''}`;
  return [
    {
      name: `forward, ${name}`,
      inputs,
      run: (x, p) => {
        const { y, logDet } = spline(x!, p!, options);
        return [y, logDet];
      },
      expected: (x, p) => {
        const values = [...x!].map((value, k) => splineValue(options, own(p!, k), value));
        return [
          { shape: [n, d], values: values.map(({ y }) => y) },
          logDetOf(values.map(({ logSlope }) => logSlope)),
        ];
      },
      // Sums of exponentials, differences of knots over widths of some hundredths of the box.
      units: 512,
      gradientUnits: 16384,
      second: 'unsupported',
    },
    {
      name: `inverse, ${name}`,
      inputs,
      run: (y, p) => {
        const { x, logDet } = splineInverse(y!, p!, options);
        return [x, logDet];
      },
      expected: (y, p) => {
        const values = [...y!].map((value, k) => splineRoot(options, own(p!, k), value));
        const slopes = values.map((x, k) => -splineValue(options, own(p!, k), x).logSlope);
        return [{ shape: [n, d], values }, logDetOf(slopes)];
      },
      // Slopes down to some hundredths.
      units: 4096,
      gradientUnits: 65536,
      second: 'unsupported',
    },
  ];
});

export const contract: OpContract = {
  module: 'spline',
  native: ['spline', 'spline_grad'],
  cases,
  errors: [
    {
      name: 'params',
      run: () => spline(f32([2, 3]), f32([2, 9])),
      code: 'SHAPE',
      says: /\[spline\] params: expected shape \[N, D·P\] = \[2, 69\] or \[1, 69\] for x \[2, 3\], got \[2, 9\]: a feature takes P = 23/,
    },
    {
      name: 'least width',
      run: () => spline(f32([2, 1]), f32([2, 23]), { leastWidth: 0.2 }),
      code: 'ARGUMENT',
      says: /\[spline\] leastWidth: expected from 0 to less than 1\/bins = 0.125, got 0.2/,
    },
  ],
};

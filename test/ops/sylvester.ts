import { sylvesterMap, sylvesterMapInverse } from '../../lib/ops';
import type { OpCase, OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';

const sizes: readonly (readonly [number, number, boolean])[] = [
  [1, 1, true],
  [17, 1, false],
  [5, 3, true],
  [9, 4, false],
];
const countOf = (m: number) => m * m + 3 * m;

/** F, r, s, b with r·s > −1, of both signs. */
const parameters = (m: number) => (draw: (length: number) => Float64Array, length: number) =>
  draw(length).map((value, i) => {
    const k = i % countOf(m);
    return k < m * m || k >= m * m + 2 * m ? value / 2 : 0.9 * Math.tanh(value);
  });

/** R and S of a row of params as functions, by the definition. */
function triangles(params: Float64Array, row: number, m: number) {
  const p = params.subarray(row * countOf(m), (row + 1) * countOf(m));
  return {
    r: (i: number, j: number) => (i === j ? p[m * m + i]! : i < j ? p[i * m + j]! : 0),
    s: (i: number, j: number) => (i === j ? p[m * m + m + i]! : i < j ? p[j * m + i]! : 0),
    b: (i: number) => p[m * m + 2 * m + i]!,
  };
}

function mapped(v: Float64Array, params: Float64Array, m: number, shared: boolean) {
  const n = v.length / m;
  const y = new Float64Array(v.length);
  const logDet = new Float64Array(n);
  for (let row = 0; row < n; row++) {
    const { r, s, b } = triangles(params, shared ? 0 : row, m);
    const t = Array.from({ length: m }, (_, i) => {
      let a = b(i);
      for (let j = 0; j < m; j++) a += s(i, j) * v[row * m + j]!;
      return Math.tanh(a);
    });
    for (let i = 0; i < m; i++) {
      let sum = v[row * m + i]!;
      for (let j = 0; j < m; j++) sum += r(i, j) * t[j]!;
      y[row * m + i] = sum;
      logDet[row]! += Math.log(1 + r(i, i) * s(i, i) * (1 - t[i]! ** 2));
    }
  }
  return { y, logDet };
}

/** v of y by bisection in plain loops. */
function solved(y: Float64Array, params: Float64Array, m: number, shared: boolean) {
  const v = new Float64Array(y.length);
  const rows = y.length / m;
  for (let row = 0; row < rows; row++) {
    const { r, s, b } = triangles(params, shared ? 0 : row, m);
    for (let i = m - 1; i >= 0; i--) {
      const at = (j: number) => v[row * m + j]!;
      const t = (j: number) => {
        let a = b(j);
        for (let k = j; k < m; k++) a += s(j, k) * at(k);
        return Math.tanh(a);
      };
      let rest = y[row * m + i]!;
      for (let j = i + 1; j < m; j++) rest -= r(i, j) * t(j);
      let [low, high] = [rest - 1, rest + 1];
      for (let k = 0; k < 60; k++) {
        v[row * m + i] = (low + high) / 2;
        if (at(i) + r(i, i) * t(i) < rest) low = at(i);
        else high = at(i);
      }
    }
  }
  return v;
}

const cases: OpCase[] = sizes.flatMap(([n, m, shared]) => {
  const inputs = [
    { shape: [n, m] },
    { shape: [shared ? 1 : n, countOf(m)], values: parameters(m) },
  ] as const;
  const name = `${n} × ${m}${shared ? ', one row of parameters' : ''}`;
  return [
    {
      name: `forward, ${name}`,
      inputs,
      run: (v, params) => {
        const { y, logDet } = sylvesterMap(v!, params!);
        return [y, logDet];
      },
      expected: (v, params) => {
        const { y, logDet } = mapped(v!, params!, m, shared);
        return [
          { shape: [n, m], values: y },
          { shape: [n], values: logDet, dtype: 'float64' },
        ];
      },
      // Sums of up to 5 products and a tanh; 1 + r·s·h may be small.
      units: 40,
      gradientUnits: 1024,
      second: 'unsupported',
    },
    {
      name: `inverse, ${name}`,
      inputs,
      run: (y, params) => {
        const { v, logDet } = sylvesterMapInverse(y!, params!);
        return [v, logDet];
      },
      expected: (y, params) => {
        const v = solved(y!, params!, m, shared);
        const { logDet } = mapped(v, params!, m, shared);
        return [
          { shape: [n, m], values: v },
          { shape: [n], values: logDet.map((value) => -value), dtype: 'float64' },
        ];
      },
      // The slope of an equation is at least 1 − 0.81: its root has five times the error of the equation, and the next
      // rows take it on.
      units: 400,
      gradientUnits: 8192,
      second: 'unsupported',
    },
  ];
});

export const contract: OpContract = {
  module: 'sylvester',
  native: ['sylvester', 'sylvester_grad'],
  cases,
  errors: [
    {
      name: 'params',
      run: () => sylvesterMap(f32([2, 3]), f32([2, 9])),
      code: 'SHAPE',
      says: /\[sylvesterMap\] params: expected shape \[N, M² \+ 3·M\] = \[2, 18\] or \[1, 18\] for \[2, 3\], got \[2, 9\]/,
    },
  ],
};

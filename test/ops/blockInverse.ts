import { blockInverse } from '../../lib/ops';
import type { Draw, Input, OpCase, OpContract } from '../contract/opCase';
import { f32 } from '../contract/opContract';

/** Positive blocks on the diagonal, signed ones below; what is above must not be read. */
function blocks(features: number, units: number, before: number) {
  const cols = features * before;
  return (draw: Draw, length: number) =>
    draw(length).map((value, k) => {
      const row = Math.floor(Math.floor(k / cols) / units);
      const col = Math.floor((k % cols) / before);
      if (col > row) return 1e6;
      return col === row ? (0.1 + Math.abs(value)) / before : value / Math.sqrt(cols);
    });
}

/** y_i and dy_i/dx_i of one sample by the definition, from the dimensions up to i. */
function network(widths: readonly number[], gate: number, numbers: readonly Float64Array[]) {
  const share = 1 / (1 + Math.exp(-gate));
  return (x: readonly number[], addend: ArrayLike<number> | null, i: number) => {
    let h: readonly number[] = x.slice(0, i + 1);
    let slopes: readonly number[] = h.map((_, k) => (k === i ? 1 : 0));
    for (let l = 1; l < widths.length; l++) {
      const [before, units] = [widths[l - 1]!, widths[l]!];
      const [weight, bias] = [numbers[2 * l - 2]!, numbers[2 * l - 1]!];
      const cols = weight.length / bias.length;
      const z: number[] = [];
      const s: number[] = [];
      for (let u = 0; u < (i + 1) * units; u++) {
        const seen = (Math.floor(u / units) + 1) * before;
        let [sum, slope] = [bias[u]! + (l === 1 && addend ? addend[u]! : 0), 0];
        for (let k = 0; k < seen; k++) {
          sum += weight[u * cols + k]! * h[k]!;
          slope += weight[u * cols + k]! * slopes[k]!;
        }
        z.push(sum);
        s.push(slope);
      }
      const last = l + 1 === widths.length;
      h = last ? z : z.map(Math.tanh);
      slopes = last ? s : s.map((slope, u) => slope / Math.cosh(z[u]!) ** 2);
    }
    return { y: share * h[i]! + (1 - share) * x[i]!, slope: share * slopes[i]! + 1 - share };
  };
}

function caseOf(n: number, features: number, hidden: readonly number[], addend = false): OpCase {
  const widths = [1, ...hidden, 1];
  return {
    name: `${n} × ${features}, hidden ${hidden.join(', ') || 'none'}${addend ? ', addend' : ''}`,
    inputs: [
      { shape: [n, features], values: (draw, length) => draw(length, 3) },
      { shape: [1] },
      ...(addend ? [{ shape: [n, features * hidden[0]!] }] : []),
      ...widths.slice(1).flatMap((units, l): Input[] => [
        {
          shape: [features * units, features * widths[l]!],
          values: blocks(features, units, widths[l]!),
        },
        { shape: [features * units] },
      ]),
    ],
    run: (y, gate, ...rest) => {
      const term = addend ? rest.shift()! : null;
      const layers = widths.slice(1).map((_, l) => ({
        weight: rest[2 * l]!,
        bias: rest[2 * l + 1]!,
      }));
      const { x, logDet, converged } = blockInverse(y!, layers, gate!, term);
      return [x, logDet, converged];
    },
    expected: (y, gate, ...rest) => {
      const term = addend ? rest.shift()! : null;
      const f = network(widths, gate![0]!, rest);
      const x: number[] = [];
      const logDet = new Float64Array(n);
      for (let row = 0; row < n; row++) {
        const own: number[] = [];
        const width = features * (hidden[0] ?? 1);
        const its = term ? term.subarray(row * width, (row + 1) * width) : null;
        for (let i = 0; i < features; i++) {
          let [low, high] = [-200, 200];
          for (let k = 0; k < 64; k++) {
            const middle = (low + high) / 2;
            if (f([...own, middle], its, i).y < y![row * features + i]!) low = middle;
            else high = middle;
          }
          own.push((low + high) / 2);
          logDet[row]! -= Math.log(f(own, its, i).slope);
        }
        x.push(...own);
      }
      return [
        { shape: [n, features], values: x },
        { shape: [n], dtype: 'float64', values: logDet },
        { shape: [n], dtype: 'int32', values: new Array<number>(n).fill(1) },
      ];
    },
    // Slopes of a fifth and less, and errors of the first dimensions in the later ones.
    units: 500,
    gradient: false,
  };
}

export const contract: OpContract = {
  module: 'blockInverse',
  native: ['block_inverse'],
  cases: [
    caseOf(1, 1, [1]),
    caseOf(3, 4, []),
    caseOf(2, 5, [3], true),
    caseOf(19, 3, [9, 2]),
    caseOf(37, 2, [4, 4], true),
  ],
  errors: [
    {
      name: 'width of the last layer',
      run: () => blockInverse(f32([2, 3]), [{ weight: f32([6, 3]), bias: null }], f32([1])),
      code: 'SHAPE',
      says: /\[blockInverse\] layer 0, weight: expected shape \[3, 3\], got \[6, 3\]/,
    },
    {
      name: 'no layers',
      run: () => blockInverse(f32([2, 3]), [], f32([1])),
      code: 'ARGUMENT',
      says: /\[blockInverse\] layers: expected 1 to 16, got 0/,
    },
  ],
};

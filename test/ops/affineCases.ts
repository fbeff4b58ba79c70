/** What the contract rows of the affine transformer's two directions share. */
import type { AutoregressiveScale } from '../../lib/ops';
import type { Tensor } from '../../lib/tensor/tensor';
import type { OpCase } from '../contract/opCase';
import { oddSizes } from '../contract/opCase';

export const scales: readonly AutoregressiveScale[] = [
  { kind: 'tanh', bound: 1 },
  { kind: 'tanh', bound: 2.5 },
  { kind: 'softClamp', bound: 3 },
  { kind: 'none' },
  { kind: 'additive' },
  { kind: 'gate', bias: 1.5 },
];

/** a of raw, from the definition. */
export function logScale(scale: AutoregressiveScale, raw: number): number {
  switch (scale.kind) {
    case 'tanh':
      return scale.bound * Math.tanh(raw / scale.bound);
    case 'softClamp':
      return raw / (1 + Math.abs(raw) / scale.bound);
    case 'none':
      return raw;
    case 'additive':
      return 0;
    case 'gate':
      return Math.log1p(Math.exp(-(raw + scale.bias)));
  }
}

export function affineCases(
  inverse: boolean,
  run: (x: Tensor, params: Tensor, scale: AutoregressiveScale) => readonly Tensor[],
): OpCase[] {
  return oddSizes.map((d, k) => {
    const scale = scales[k % scales.length]!;
    const bound = 'bound' in scale ? ` ${scale.bound}` : '';
    const n = d > 100 ? 2 : 3;
    return {
      name: `${scale.kind}${bound}, ${n} × ${d}`,
      inputs: [
        { shape: [n, d] },
        {
          shape: [n, 2 * d],
          // softClamp has a kink of its second derivative at 0: raw stays away from it.
          values: (draw, length) =>
            draw(length).map((v, i) => (i % 2 ? v + (v < 0 ? -0.2 : 0.2) : v)),
        },
      ],
      run: (x, params) => run(x!, params!, scale),
      expected: (x, params) => {
        const logDet = new Float64Array(n);
        const values = x!.map((value, i) => {
          const [mu, a] = [params![2 * i]!, logScale(scale, params![2 * i + 1]!)];
          logDet[Math.floor(i / d)]! += inverse ? a : -a;
          if (scale.kind === 'gate') {
            const s = 1 / (1 + Math.exp(-(params![2 * i + 1]! + scale.bias)));
            return inverse ? (value - (1 - s) * mu) / s : s * value + (1 - s) * mu;
          }
          return inverse ? value * Math.exp(a) + mu : (value - mu) * Math.exp(-a);
        });
        return [
          { shape: [n, d], values },
          { shape: [n], values: logDet, dtype: 'float64' },
        ];
      },
      // exp and tanh are within 2 ulp; |a| ≤ 3 multiplies the error of a. The log-det of a row of D terms is relative to
      // itself and may cancel: some D eps.
      units: 16 + d,
      gradientUnits: 256,
      second: 'unsupported',
    };
  });
}

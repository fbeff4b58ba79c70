import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { epsilonOf, type FloatDType } from '../../lib/dtype';
import {
  type AutoregressiveScale,
  add,
  autoregressiveAffine,
  autoregressiveAffineInverse,
  mul,
  sum,
} from '../../lib/ops';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { expectClose, fixture } from '../reference/close';
import { gradient } from '../reference/differences';
import { logScale } from './affineCases';

const scales: readonly AutoregressiveScale[] = [
  { kind: 'tanh', bound: 1 },
  { kind: 'tanh', bound: 2.5 },
  { kind: 'softClamp', bound: 3 },
  { kind: 'none' },
  { kind: 'additive' },
];

interface Plain {
  readonly out: Float64Array;
  readonly logDet: Float64Array;
}

function plain(
  inverse: boolean,
  x: ArrayLike<number>,
  params: ArrayLike<number>,
  n: number,
  d: number,
  scale: AutoregressiveScale,
): Plain {
  const out = new Float64Array(n * d);
  const logDet = new Float64Array(n);
  for (let i = 0; i < n * d; i++) {
    const [mu, a] = [params[2 * i] ?? 0, logScale(scale, params[2 * i + 1] ?? 0)];
    out[i] = inverse ? (x[i] ?? 0) * Math.exp(a) + mu : ((x[i] ?? 0) - mu) * Math.exp(-a);
    logDet[Math.floor(i / d)]! += inverse ? a : -a;
  }
  return { out, logDet };
}

function run(inverse: boolean, x: Tensor, params: Tensor, scale: AutoregressiveScale) {
  if (inverse) {
    const { x: out, logDet } = autoregressiveAffineInverse(x, params, { scale });
    return { out, logDet };
  }
  const { y: out, logDet } = autoregressiveAffine(x, params, { scale });
  return { out, logDet };
}

const make = (values: Float64Array, shape: readonly number[], dtype: FloatDType) =>
  tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, shape);

describe.each([false, true])('autoregressiveAffine, inverse %s', (inverse) => {
  it.each(scales)('$kind $bound: values and log-det against the definition', (scale) => {
    for (const dtype of ['float64', 'float32'] as const) {
      for (const [n, d] of [
        [1, 1],
        [7, 3],
        [129, 17],
        [3, 63],
        [2, 1023],
      ] as const) {
        const next = fixture(n + d);
        const [x, params] = [
          make(next(n * d), [n, d], dtype),
          make(next(2 * n * d), [n, 2 * d], dtype),
        ];
        const expected = plain(inverse, x.dataSync(), params.dataSync(), n, d, scale);
        const { out, logDet } = run(inverse, x, params, scale);
        // exp is within 2 ulp of a, which tanh has within 2; all of it times |a| ≤ 3.
        const units = (16 * epsilonOf(dtype)) / epsilonOf('float64');
        expectClose(out.dataSync(), expected.out, units, `${dtype} ${n} × ${d}`);
        expect(logDet.dtype).toBe('float64');
        expectClose(logDet.dataSync(), expected.logDet, units, 'logDet', Math.sqrt(d));
        if (scale.kind !== 'additive')
          expect(Math.abs(logDet.dataSync()[0] ?? 0)).toBeGreaterThan(0.01);
      }
    }
  });

  it.each(scales)(
    '$kind $bound: gradient of y and logDet together against differences',
    (scale) => {
      const [n, d] = [3, 5];
      const next = fixture(31);
      const [x, params, w, wl] = [next(n * d), next(2 * n * d), next(n * d), next(n)];
      const loss = (v: Float64Array, p: Float64Array) => {
        const { out, logDet } = plain(inverse, v, p, n, d, scale);
        const y = out.reduce((s, o, i) => s + o * (w[i] ?? 0), 0);
        return y + logDet.reduce((s, l, i) => s + l * (wl[i] ?? 0), 0);
      };
      const by = (both: boolean[]) => {
        const [tx, tp] = [tensorOfArray(x, [n, d]), tensorOfArray(params, [n, 2 * d])];
        const { gradients } = valueAndGradient(() => {
          const { out, logDet } = run(inverse, tx, tp, scale);
          const terms = [
            sum(mul(out, tensorOfArray(w, [n, d]))),
            sum(mul(logDet, tensorOfArray(wl, [n]))),
          ].filter((_, k) => both[k]);
          return terms.reduce((a, b) => add(a, b));
        }, [tx, tp]);
        return gradients.map((g) => g?.dataSync() ?? new Float64Array(0));
      };
      const whole = by([true, true]);
      const dx = gradient((v) => loss(v, params), x);
      const dParams = gradient((p) => loss(x, p), params);
      const size = Math.max(...dParams.values.map(Math.abs));
      for (const [k, expected] of [dx, dParams].entries()) {
        expect(expected.error).toBeLessThan(1e-8);
        whole[k]?.forEach((g, i) => {
          expect(Math.abs(g - (expected.values[i] ?? 0))).toBeLessThan(1e-8 * size);
        });
      }
      // Each cotangent alone: the parts add up to the whole.
      const [fromY, fromLogDet] = [by([true, false]), by([false, true])];
      const parts = whole[1]?.map((_, i) => (fromY[1]?.[i] ?? 0) + (fromLogDet[1]?.[i] ?? 0)) ?? [];
      expectClose(parts, whole[1] ?? [], 8, 'parts');
    },
  );
});

describe('autoregressiveAffine, both directions', () => {
  it('are inverse to each other, with opposite log-dets, at the edges of the range as well', () => {
    const edges = Float64Array.of(0, -0, 1e-30, 700, -700, 1e300, -1e300, 3);
    const raws = Float64Array.of(0, 40, -40, 1e300, -1e300, 0.3, -2, 1e-300);
    const params = new Float64Array(16);
    raws.forEach((raw, i) => {
      params[2 * i] = i % 2 ? 1.5 : -0.25;
      params[2 * i + 1] = raw;
    });
    for (const scale of scales.slice(0, 3)) {
      const [x, p] = [tensorOfArray(edges, [1, 8]), tensorOfArray(params, [1, 16])];
      const forward = autoregressiveAffine(x, p, { scale });
      const back = autoregressiveAffineInverse(forward.y, p, { scale });
      expect(back.logDet.item()).toBe(-forward.logDet.item());
      back.x.dataSync().forEach((v, i) => {
        // x − mu and + mu again: eps of the larger of the two.
        const size = Math.max(Math.abs(edges[i] ?? 0), 1.5);
        expect(Math.abs(v - (edges[i] ?? 0)) / size).toBeLessThan(64 * 2 ** -52);
      });
    }
  });

  it('names shapes, scale maps and bounds that do not fit', () => {
    const x = tensorOfArray(new Float64Array(6), [2, 3]);
    const p = tensorOfArray(new Float64Array(12), [2, 6]);
    expect(() => autoregressiveAffine(x, x)).toThrow(
      /\[autoregressiveAffine\] params: expected shape \[2, 6\], got \[2, 3\]/,
    );
    expect(() => autoregressiveAffine(x, p, { scale: { kind: 'tanh', bound: 0 } })).toThrow(
      /scale.bound: expected a positive number, got 0/,
    );
    const single = tensorOfArray(new Float32Array(12), [2, 6]);
    expect(() => autoregressiveAffineInverse(x, single)).toThrow(/params: expected float64/);
  });

  it('refuses a gradient of the gradient', () => {
    const next = fixture(2);
    const [x, p] = [tensorOfArray(next(6), [2, 3]), tensorOfArray(next(12), [2, 6])];
    const nested = () =>
      valueAndGradient(() => {
        const { gradients } = valueAndGradient(() => sum(autoregressiveAffine(x, p).y), [p]);
        return sum(mul(gradients[0] as Tensor, gradients[0] as Tensor));
      }, [p]);
    expect(nested).toThrow(/\[autoregressiveAffine\]/);
  });
});

/** Splines, planar, radial and Sylvester flows as densities: they integrate to one, far outside they are numbers. */
import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { Autoregressive, SplineTransformer } from '../../lib/bijections';
import { epsilonOf } from '../../lib/dtype';
import { type Flow, nsf, nsfAutoregressive, planar, radial, sylvester } from '../../lib/flows';
import {
  add,
  type SplineKind,
  type SplineTails,
  spline,
  splineInverse,
  splineParameters,
  sum,
} from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { randomize } from '../bijections/cases';
import { fixture } from '../reference/close';
import { integrate2d } from '../reference/quadrature';

const dtype = 'float64';
const plane: readonly (readonly [string, () => Flow])[] = [
  ['nsf', () => nsf({ features: 2, transforms: 2, hidden: [6], activation: 'tanh', dtype })],
  [
    'nsfAutoregressive, cubic',
    () =>
      nsfAutoregressive({
        ...{ features: 2, transforms: 2, hidden: [6], activation: 'tanh', dtype },
        spline: { kind: 'cubic', tails: 'learned', bins: 3 },
      }),
  ],
  ['planar', () => planar({ features: 2, transforms: 3, dtype })],
  ['radial', () => radial({ features: 2, transforms: 3, dtype })],
  ['sylvester', () => sylvester({ features: 2, transforms: 2, basis: 'triangular', dtype })],
];

it.each(plane)('%s integrates to one over the plane', (_name, make) => {
  const flow = make();
  randomize(flow.bijection, 3, 0.3);
  // Slopes jump at the knots: many panels of a low order.
  const total = integrate2d(
    (rows) =>
      scope(() =>
        flow
          .logProb(tensorOfArray(rows, [rows.length / 2, 2]))
          .dataSync()
          .map(Math.exp),
      ),
    -10,
    10,
    40,
    4,
  );
  expect(Math.abs(total - 1)).toBeLessThan(2e-3);
  flow.dispose();
});

const kinds: readonly SplineKind[] = ['rationalQuadratic', 'quadratic', 'linear', 'cubic'];
const tails: readonly SplineTails[] = ['linear', 'learned', 'circular'];
const places = [-1e4, -100, -10, -3, -1, 0, 2, 3, 10, 100, 1e4];

describe.each(['float32', 'float64'] as const)('%s, far outside and at both ends', (type) => {
  const eps = epsilonOf(type);
  const of = (values: readonly number[] | Float64Array, shape: readonly number[]) =>
    tensorOfArray(
      type === 'float32' ? Float32Array.from(values) : Float64Array.from(values),
      shape,
    );

  it.each(kinds.flatMap((kind) => tails.map((tail) => [kind, tail] as const)))(
    '%s with %s tails',
    (kind, tail) => {
      const options = { kind, tails: tail, bins: 5 };
      scope(() => {
        const x = of(places, [places.length, 1]);
        const params = of(fixture(9)(splineParameters(options)), [1, splineParameters(options)]);
        const { y, logDet } = spline(x, params, options);
        const back = splineInverse(y, params, options);
        back.x.dataSync().forEach((value, k) => {
          const size = Math.max(1, Math.abs(places[k]!));
          // Slopes down to some hundredths; of a periodic map at 10⁴ the rounding of 10⁴.
          expect(Math.abs((value as number) - places[k]!)).toBeLessThan(2e4 * eps * size);
        });
        for (const value of logDet.dataSync()) expect(Number.isFinite(value)).toBe(true);
        if (tail === 'linear') {
          expect([y.dataSync()[0], y.dataSync()[10]]).toEqual([-1e4, 1e4]);
          expect([logDet.dataSync()[1], logDet.dataSync()[9]]).toEqual([0, 0]);
        }
        for (const map of [spline, splineInverse]) {
          const { gradients } = valueAndGradient(() => {
            const step = map(x, params, options);
            return add(
              sum(step.logDet),
              sum('y' in step ? step.y : step.x, undefined, { dtype: 'float64' }),
            );
          }, [x, params]);
          for (const d of gradients)
            for (const value of d!.dataSync()) expect(Number.isFinite(value)).toBe(true);
        }
      });
    },
  );

  it('a NaN stays one, and harms no neighbour', () => {
    scope(() => {
      const params = of(fixture(9)(23), [1, 23]);
      const { y } = spline(of([0.5, Number.NaN, Infinity], [3, 1]), params);
      const alone = spline(of([0.5], [1, 1]), params).y.item();
      expect([...y.dataSync()]).toEqual([alone, Number.NaN, Infinity]);
    });
  });
});

it('numbers of zero are the identity', () => {
  scope(() => {
    for (const kind of kinds) {
      const x = tensorOfArray(fixture(4)(40), [10, 4]);
      const count = splineParameters({ kind });
      const { y, logDet } = spline(x, tensorOfArray(new Float64Array(4 * count), [1, 4 * count]), {
        kind,
      });
      y.dataSync().forEach((value, k) => {
        expect(Math.abs((value as number) - (x.dataSync()[k] as number))).toBeLessThan(1e-14);
      });
      for (const value of logDet.dataSync()) expect(Math.abs(value as number)).toBeLessThan(1e-13);
    }
  });
});

it('the incremental inverse gives what a pass a dimension gives', () => {
  const made = (transformer: SplineTransformer) => {
    const options = { features: 5, hidden: [16, 9], contextFeatures: 2, seed: 4 };
    const map = new Autoregressive({ ...options, transformer, dtype });
    randomize(map, 8, 0.5);
    return map;
  };
  class Plain extends SplineTransformer {
    override inverseOfMade() {
      return null;
    }
  }
  const [fast, slow] = [made(new SplineTransformer()), made(new Plain())];
  scope(() => {
    const y = tensorOfArray(fixture(5)(37 * 5, 2), [37, 5]);
    const context = tensorOfArray(fixture(6)(74), [37, 2]);
    const [a, b] = [fast.inverse(y, context), slow.inverse(y, context)];
    a.x.dataSync().forEach((value, k) => {
      expect(Math.abs((value as number) - (b.x.dataSync()[k] as number))).toBeLessThan(1e-11);
    });
    a.logDet.dataSync().forEach((value, k) => {
      expect(Math.abs((value as number) - (b.logDet.dataSync()[k] as number))).toBeLessThan(1e-10);
    });
  });
  fast.dispose();
  slow.dispose();
});

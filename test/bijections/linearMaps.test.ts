/** What the contract does not see of the linear maps: which matrix it is, how it starts, what happens near a singular one. */
import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import {
  type Bijection,
  DenseLinear,
  LuLinear,
  OrthogonalLinear,
  QrLinear,
  TriangularLinear,
} from '../../lib/bijections';
import { FlowError } from '../../lib/errors';
import { mul, sum } from '../../lib/ops';
import { record } from '../../lib/tensor/program';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { own } from '../disposables';
import { eps64 as eps, expectClose, fixture } from '../reference/close';
import { compose } from '../reference/lu';
import { randomize } from './cases';

/** W [C, C] of a map without bias: row i of what the identity gives is column i. */
function matrixOf(map: Bijection, size: number): Float64Array {
  const unit = new Float64Array(size * size);
  for (let i = 0; i < size; i++) unit[i * (size + 1)] = 1;
  const columns = scope(() => map.forward(tensorOfArray(unit, [size, size])).y.dataSync());
  return Float64Array.from(columns, (_, i) => columns[(i % size) * size + Math.floor(i / size)]!);
}

const dtype = 'float64';

describe('LuLinear', () => {
  it('multiplies with W = P·L·(U + diag(s)) from the left, as Glow (eq. 10) does', () => {
    const map = own(new LuLinear({ channels: 3, start: 'identity', dtype }));
    // L = [1 0 0; 2 1 0; 3 4 1], U = [0 5 6; 0 0 7; 0 0 0], s = (1, −2, 3); the diagonal holds what must not be read.
    map.factors.write(Float64Array.of(100, 5, 6, 2, 100, 7, 3, 4, 100));
    map.logScale.write(Float64Array.of(0, Math.log(2), Math.log(3)));
    map.sign.write(Float64Array.of(1, -1, 1));
    map.rows.write(Int32Array.of(2, 0, 1));
    // L·(U + diag(s)) = [1 5 6; 2 8 19; 3 7 49]; its rows go to 2, 0, 1.
    expectClose(matrixOf(map, 3), [2, 8, 19, 3, 7, 49, 1, 5, 6], 8, 'W');
  });

  it.each([1, 2, 12, 48, 70])('starts as a rotation of %i channels', (channels) => {
    const map = own(new LuLinear({ channels, seed: 9, dtype }));
    const w = matrixOf(map, channels);
    for (let i = 0; i < channels; i++) {
      for (let j = 0; j < channels; j++) {
        let product = 0;
        for (let k = 0; k < channels; k++) product += w[i * channels + k]! * w[j * channels + k]!;
        expect(Math.abs(product - (i === j ? 1 : 0))).toBeLessThan(16 * channels * eps);
      }
    }
    scope(() => {
      const { logDet } = map.forward(tensorOfArray(new Float64Array(channels), [1, channels]));
      expect(Math.abs(logDet.item())).toBeLessThan(64 * channels * eps);
    });
    expectClose(
      w,
      compose({
        form: 'lu',
        factors: map.factors.dataSync(),
        logScale: map.logScale.dataSync(),
        sign: map.sign.dataSync(),
        rows: [...map.rows.dataSync()],
      }),
      16 * channels,
      'composed',
    );
  });

  it('has no gradient outside of its triangles', () => {
    const map = own(new LuLinear({ channels: 6, positions: 2, seed: 2, dtype }));
    scope(() => {
      const x = tensorOfArray(fixture(4)(36), [3, 12]);
      const { gradients } = valueAndGradient(() => {
        const { y } = map.forward(x);
        return sum(mul(y, y));
      }, [map.factors]);
      const d = gradients[0]!.dataSync();
      d.forEach((value, i) => {
        if (i % 7 === 0) expect(value).toBe(0);
      });
      expect(d.filter((value) => value !== 0).length).toBe(30);
    });
  });
});

it('an upper triangle has no gradient below its diagonal', () => {
  const map = own(new TriangularLinear({ channels: 4, lower: false, dtype }));
  randomize(map, 3);
  scope(() => {
    const x = tensorOfArray(fixture(5)(20), [5, 4]);
    const { gradients } = valueAndGradient(() => sum(mul(map.inverse(x).x, x)), [map.factors]);
    gradients[0]!.dataSync().forEach((value, i) => {
      const isAbove = i % 4 > Math.floor(i / 4);
      if (isAbove) expect(value).not.toBe(0);
      else expect(value).toBe(0);
    });
  });
});

describe.each([
  ['orthogonal', () => new OrthogonalLinear({ channels: 9, bias: true, dtype })],
  [
    'orthogonal, few reflections',
    () => new OrthogonalLinear({ channels: 9, reflections: 2, dtype }),
  ],
  ['QR', () => new QrLinear({ channels: 9, bias: true, dtype })],
] as const)('%s', (_name, make) => {
  it('gives a row the same, alone or among many', () => {
    const map = own(make());
    randomize(map, 8);
    scope(() => {
      const values = fixture(6)(20 * 9);
      const many = tensorOfArray(values, [20, 9]);
      const one = tensorOfArray(values.slice(0, 9), [1, 9]);
      for (const run of [
        (x: typeof one) => map.forward(x).y,
        (x: typeof one) => map.inverse(x).x,
      ]) {
        // The reflections one after another, or their product first: sums of 9 terms, 9 times.
        expectClose(run(one).dataSync(), run(many).dataSync().slice(0, 9), 500, 'row');
      }
    });
  });
});

describe('DenseLinear', () => {
  const nearlySingular = (third: number) => {
    const map = own(new DenseLinear({ channels: 2, dtype }));
    map.weight.write(Float64Array.of(1, 2, 2, third));
    return map;
  };

  it('refuses the inverse of a matrix that is as good as singular, with its condition number', () => {
    scope(() => {
      const y = tensorOfArray(Float64Array.of(1, 2), [1, 2]);
      // det = 1e-15, ‖W‖₁ = 6, ‖W⁻¹‖₁ = 6e15.
      const map = nearlySingular(4 + 8 * eps);
      expect(map.conditionNumber()).toBeGreaterThan(1e16);
      let thrown: unknown;
      try {
        map.inverse(y);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(FlowError);
      expect((thrown as FlowError).code).toBe('NUMERIC');
      expect((thrown as FlowError).message).toMatch(
        /\[DenseLinear\] weight: expected a condition number below 4\.5e\+14, the reach of float64, got 2\.\d+e\+16: W is as good as singular: use LuLinear/,
      );
      expect(() => nearlySingular(4).inverse(y)).toThrow(/got Infinity/);
    });
  });

  it('has log-det −∞ where it is singular, which a training step finds', () => {
    scope(() => {
      const { logDet } = nearlySingular(4).forward(tensorOfArray(Float64Array.of(1, 2), [1, 2]));
      expect(logDet.item()).toBe(-Infinity);
    });
  });

  it('can be recorded, both ways', () => {
    const map = own(new DenseLinear({ channels: 4, positions: 2, dtype }));
    randomize(map, 12);
    const x = tensorOfArray(fixture(13)(24), [3, 8]);
    const program = record(() => {
      const { y } = map.forward(x);
      return map.inverse(y);
    });
    program.run();
    expectClose(program.result.x.dataSync(), x.dataSync(), 1000, 'there and back');
    program.dispose();
    x.dispose();
  });
});

it.each([
  [
    'channels',
    () => new LuLinear({ channels: 0 }),
    /\[LuLinear\] channels: expected a whole number ≥ 1, got 0/,
  ],
  [
    'positions',
    () => new DenseLinear({ channels: 2, positions: 1.5 }),
    /\[DenseLinear\] positions/,
  ],
  [
    'reflections',
    () => new QrLinear({ channels: 2, reflections: 0 }),
    /\[QrLinear\] reflections: expected a whole number ≥ 1, got 0: 2, the channels/,
  ],
] as const)('wrong %s are told', (_what, make, says) => {
  expect(make).toThrow(says);
});

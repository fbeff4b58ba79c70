/** The contract of DESIGN.md, for every row of cases. */
import { afterEach, describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import type { Bijection } from '../../lib/bijections';
import { epsilonOf, type FloatDType } from '../../lib/dtype';
import { FlowError } from '../../lib/errors';
import { build } from '../../lib/nn';
import { add, mul, sum } from '../../lib/ops';
import { memory, setThreads } from '../../lib/runtime';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { own } from '../disposables';
import { expectClose, fixture } from '../reference/close';
import { gradient, jacobian } from '../reference/differences';
import { slogdet } from '../reference/linalg';
import { type BijectionCase, bijectionCases, randomize } from './cases';

const float = (dtype: FloatDType, values: Float64Array) =>
  dtype === 'float32' ? Float32Array.from(values) : values;

/** Rows of the case's domain. */
function inputs(row: BijectionCase, rows: number, seed: number): Float64Array {
  const values = fixture(seed)(rows * row.features);
  if (row.domain === 'unit') return values.map((v) => 0.5 + 0.22 * v);
  return row.domain === 'signed' ? values.map((v) => v + Math.sign(v) / 2) : values;
}

function contextOf(row: BijectionCase, rows: number, dtype: FloatDType, seed = 77): Tensor | null {
  const columns = row.contextFeatures ?? 0;
  if (columns === 0) return null;
  return tensorOfArray(float(dtype, fixture(seed)(rows * columns)), [rows, columns]);
}

function map(
  bijection: Bijection,
  direction: 'forward' | 'inverse',
  input: Tensor,
  context: Tensor | null,
) {
  if (direction === 'forward') {
    const { y, logDet } = bijection.forward(input, context);
    return { out: y, logDet };
  }
  const { x, logDet } = bijection.inverse(input, context);
  return { out: x, logDet };
}

/** Where the tests of a direction start: data for forward, their image for inverse. */
function startOf(
  row: BijectionCase,
  bijection: Bijection,
  direction: 'forward' | 'inverse',
  rows: number,
): Float64Array {
  const x = inputs(row, rows, 11);
  if (direction === 'forward') return x;
  return scope(() => {
    const y = bijection.forward(
      tensorOfArray(x, [rows, row.features]),
      contextOf(row, rows, 'float64'),
    ).y;
    return y.dataSync() as Float64Array;
  });
}

const directions = ['forward', 'inverse'] as const;

describe.each(bijectionCases)('$name', (row) => {
  const { features } = row;
  const make = (dtype: FloatDType = 'float64') => {
    return own(row.make(dtype).train(row.training ?? false));
  };
  afterEach(() => {
    setThreads(2);
  });

  it.each(['float32', 'float64'] as const)(
    'gives the shapes and types of the contract, %s',
    (dtype) => {
      const bijection = make(dtype);
      expect(bijection.features).toBe(features);
      expect(bijection.contextFeatures).toBe(row.contextFeatures ?? 0);
      scope(() => {
        for (const direction of directions) {
          const input = tensorOfArray(float(dtype, startOf(row, make(), direction, 5)), [
            5,
            features,
          ]);
          const { out, logDet } = map(bijection, direction, input, contextOf(row, 5, dtype));
          expect([out.shape, out.dtype]).toEqual([[5, features], dtype]);
          expect([logDet.shape, logDet.dtype]).toEqual([[5], 'float64']);
        }
      });
    },
  );

  // The maps are smooth with slopes of at most about e⁵ both ways, so a round trip loses that factor.
  it.each(['float32', 'float64'] as const)(
    'comes back, both ways, with the opposite log-det, %s',
    (dtype) => {
      const bijection = make(dtype);
      const units = dtype === 'float32' ? 2 ** 29 : 1; // eps of float32 in eps of float64
      const roundTrip = Math.max(2000 * units, row.roundTrip ?? 0);
      scope(() => {
        for (const rows of [1, 7, 129]) {
          const context = contextOf(row, rows, dtype);
          for (const [there, back] of [directions, [...directions].reverse()] as const) {
            if (!there || !back) continue;
            const input = float(dtype, startOf(row, make(), there, rows));
            const first = map(bijection, there, tensorOfArray(input, [rows, features]), context);
            const second = map(bijection, back, first.out, context);
            expectClose(second.out.dataSync(), input, roundTrip, `${there} and ${back}`);
            const negated = second.logDet.dataSync().map((v) => -v);
            expectClose(
              first.logDet.dataSync(),
              negated,
              roundTrip,
              'log-det',
              Math.max(1, features),
            );
          }
        }
      });
    },
  );

  it.each(directions)('has the log-det of its Jacobian by central differences, %s', (direction) => {
    const bijection = make();
    const rows = 3;
    const start = startOf(row, bijection, direction, rows);
    const context = contextOf(row, rows, 'float64');
    const contexts = context?.dataSync() as Float64Array | undefined;
    const logDets = scope(() =>
      map(bijection, direction, tensorOfArray(start, [rows, features]), context).logDet.dataSync(),
    );
    let largest = 0;
    for (let n = 0; n < rows; n++) {
      const point = start.slice(n * features, (n + 1) * features);
      const columns = row.contextFeatures ?? 0;
      const its = contexts
        ? tensorOfArray(contexts.slice(n * columns, (n + 1) * columns), [1, columns])
        : null;
      const f = (x: Float64Array) =>
        scope(() => map(bijection, direction, tensorOfArray(x, [1, features]), its).out.dataSync());
      const { values, error } = jacobian(
        f,
        point,
        row.domain === 'unit' && direction === 'forward' ? 0.005 : 0.05,
      );
      expect(error).toBeLessThan(1e-7);
      if (row.autoregressive) {
        for (let i = 0; i < features; i++)
          for (let j = i + 1; j < features; j++) expect(values[i * features + j]).toBe(0);
      }
      const expected = slogdet(values, features);
      // The differences are good to about 1e-8 of the entries.
      expect(Math.abs((logDets[n] as number) - expected.logAbs)).toBeLessThan(1e-6);
      largest = Math.max(largest, Math.abs(expected.logAbs));
      its?.dispose();
    }
    context?.dispose();
    if (row.volumePreserving) expect(largest).toBeLessThan(1e-8);
    else expect(largest).toBeGreaterThan(0.1);
  });

  it.each(directions)(
    'has the gradients of y and log-det by central differences, %s',
    (direction) => {
      const bijection = make();
      const rows = 3;
      const start = startOf(row, bijection, direction, rows);
      const context = contextOf(row, rows, 'float64');
      const draw = fixture(21);
      const cotangent = draw(rows * features);
      const logDetCotangent = draw(rows);
      const loss = (input: Tensor) => {
        const { out, logDet } = map(bijection, direction, input, context);
        const weighted = sum(mul(out, tensorOfArray(cotangent, [rows, features])));
        return add(weighted, sum(mul(logDet, tensorOfArray(logDetCotangent, [rows]))));
      };
      const value = () => scope(() => loss(tensorOfArray(start, [rows, features])).item());
      const parameters = bijection.parameters();
      const input = tensorOfArray(start, [rows, features]);
      const { gradients } = valueAndGradient(
        () => loss(input),
        [input, ...parameters, ...(context ? [context] : [])],
      );
      const targets = [input, ...parameters, ...(context ? [context] : [])];
      for (const [k, target] of targets.entries()) {
        const before = target.dataSync() as Float64Array;
        const expected = gradient(
          (moved) => {
            target.write(moved);
            if (target === input) return scope(() => loss(input).item());
            return value();
          },
          before,
          0.004,
        );
        target.write(before);
        expect(expected.error).toBeLessThan(1e-6);
        const got = gradients[k]?.dataSync() ?? new Float64Array(target.size);
        // Differences of an O(10) loss: about 1e-9 absolute.
        for (let i = 0; i < target.size; i++) {
          expect(
            Math.abs((got[i] as number) - (expected.values[i] as number)),
            `gradient ${k}[${i}]`,
          ).toBeLessThan(2e-7 * Math.max(1, Math.abs(expected.values[i] as number)));
        }
      }
      for (const tensor of [...gradients, input, context]) tensor?.dispose();
    },
  );

  it('gives in float32 what it gives in float64', () => {
    const wide = make('float64');
    const narrow = make('float32');
    scope(() => {
      for (const direction of directions) {
        const start = startOf(row, wide, direction, 33);
        const expected = map(
          wide,
          direction,
          tensorOfArray(start, [33, features]),
          contextOf(row, 33, 'float64'),
        );
        const got = map(
          narrow,
          direction,
          tensorOfArray(Float32Array.from(start), [33, features]),
          contextOf(row, 33, 'float32'),
        );
        // Two networks of up to 20 terms and slopes of e²: a few hundred roundings.
        const units = 4000 * (epsilonOf('float32') / epsilonOf('float64'));
        expectClose(got.out.dataSync(), expected.out.dataSync(), units, `${direction} out`);
        expectClose(
          got.logDet.dataSync(),
          expected.logDet.dataSync(),
          units,
          `${direction} logDet`,
          features,
        );
      }
    });
  });

  it('gives the same bits with 1 and 2 threads', () => {
    const bijection = make('float32');
    const results = [1, 2].map((threads) => {
      setThreads(threads);
      return scope(() =>
        directions.flatMap((direction) => {
          const input = tensorOfArray(Float32Array.from(startOf(row, make(), direction, 1023)), [
            1023,
            features,
          ]);
          const { out, logDet } = map(bijection, direction, input, contextOf(row, 1023, 'float32'));
          return [out.dataSync(), logDet.dataSync()];
        }),
      );
    });
    expect(results[1]).toEqual(results[0]);
  });

  it('is built again from its config with its tensors', () => {
    const bijection = make('float32');
    const again = build(JSON.parse(JSON.stringify(bijection.config()))) as Bijection;
    own(again);
    const tensors = (module: Bijection) =>
      new Map([...module.namedParameters(), ...module.namedState()]);
    expect([...tensors(again).keys()]).toEqual([...tensors(bijection).keys()]);
    for (const [name, tensor] of tensors(bijection))
      tensors(again).get(name)?.write(tensor.dataSync());
    scope(() => {
      const input = tensorOfArray(Float32Array.from(inputs(row, 9, 5)), [9, features]);
      const [a, b] = [bijection, again].map((module) =>
        module.forward(input, contextOf(row, 9, 'float32')),
      );
      expect(b?.y.dataSync()).toEqual(a?.y.dataSync());
      expect(b?.logDet.dataSync()).toEqual(a?.logDet.dataSync());
    });
    // A checkpoint is resumed by the model whose configuration is the same, however far it was trained.
    randomize(again, 3);
    expect(again.config()).toEqual(bijection.config());
  });

  it('leaves no tensor behind', () => {
    const before = memory().buffers;
    const bijection = row.make('float32');
    const input = tensorOfArray(Float32Array.from(inputs(row, 4, 6)), [4, features]);
    const context = contextOf(row, 4, 'float32');
    scope(() => {
      bijection.forward(input, context);
      bijection.inverse(bijection.forward(input, context).y, context);
      valueAndGradient(() => sum(bijection.forward(input, context).logDet), []);
    });
    input.dispose();
    context?.dispose();
    bijection.dispose();
    bijection.dispose();
    expect(memory().buffers).toBe(before);
  });

  it('refuses rows of another width, and a missing context, in words', () => {
    const bijection = make('float32');
    scope(() => {
      const wrong = tensorOfArray(new Float32Array(2 * (features + 1)), [2, features + 1]);
      for (const direction of directions) {
        expect(() => map(bijection, direction, wrong, contextOf(row, 2, 'float32'))).toThrow(
          FlowError,
        );
        expect(() => map(bijection, direction, wrong, contextOf(row, 2, 'float32'))).toThrow(
          new RegExp(`expected shape \\[N, ${features}\\], got \\[2, ${features + 1}\\]`),
        );
        if (row.contextFeatures) {
          const right = tensorOfArray(new Float32Array(2 * features), [2, features]);
          expect(() => map(bijection, direction, right, null)).toThrow(/context: expected shape/);
        }
      }
    });
  });
});

import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import {
  ContinuousFlow,
  type ContinuousFlowOptions,
  type OdeGradient,
  type OdeSolver,
} from '../../lib/bijections';
import { Activations, withActivations } from '../../lib/bijections/activations';
import { type FfjordOptions, Flow, ffjord } from '../../lib/flows';
import { VectorField, type VectorFieldOptions } from '../../lib/nn';
import { add, mul, RandomStream, sum } from '../../lib/ops';
import { memory } from '../../lib/runtime';
import { record } from '../../lib/tensor/program';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { adam, fit } from '../../lib/train';
import { own } from '../disposables';
import { expectClose, fixture } from '../reference/close';
import { integrate1d, integrate2d } from '../reference/quadrature';
import { randomize } from './cases';

function fieldOf(options: Partial<VectorFieldOptions> = {}, seed = 7, scale = 1.2): VectorField {
  const field = own(new VectorField({ features: 2, hidden: [5, 4], dtype: 'float64', ...options }));
  randomize(field, seed, scale);
  return field;
}

function flowOf(
  options: Partial<ContinuousFlowOptions> = {},
  network: Partial<VectorFieldOptions> = {},
  scale = 1.2,
): ContinuousFlow {
  return own(new ContinuousFlow({ field: fieldOf(network, 7, scale), ...options }));
}

const rows = (values: Float64Array, width = 2) =>
  own(tensorOfArray(values, [values.length / width, width]));

describe('steps', () => {
  it('by the error come as near as they are told', () => {
    const x = rows(fixture(3)(12));
    const of = (use: OdeSolver) =>
      scope(() => {
        const { y, logDet, solve } = flowOf({ use }).forward(x);
        return {
          values: [...y.dataSync(), ...logDet.dataSync()],
          evaluations: solve?.iterations.toArray(),
          residual: solve?.residual.toArray() as number[],
          converged: solve?.converged.toArray(),
        };
      });
    const truth = of({ method: 'rk4', steps: 400 }).values;
    let before = 0;
    for (const rtol of [1e-3, 1e-5, 1e-7, 1e-9]) {
      const { values, evaluations, residual, converged } = of({
        method: 'dopri5',
        rtol,
        atol: rtol,
      });
      const worst = Math.max(...values.map((v, i) => Math.abs(v - truth[i]!)));
      expect(worst).toBeLessThan(20 * rtol);
      expect(new Set(evaluations).size).toBe(1);
      expect(evaluations![0]).toBeGreaterThan(before);
      before = evaluations![0]!;
      expect(Math.max(...residual)).toBeLessThanOrEqual(1);
      if (rtol < 1e-6) expect(Math.max(...residual)).toBeGreaterThan(0.05);
      expect(converged).toEqual([1, 1, 1, 1, 1, 1]);
    }
  });
});

describe('gradients', () => {
  const x = fixture(4)(10);
  const gradientsOf = (
    gradient: OdeGradient,
    use: OdeSolver,
    options: Partial<ContinuousFlowOptions> = {},
  ) => {
    const own = { use, training: use, gradient, ...options };
    const flow = flowOf(own, { contextFeatures: 1, hidden: [4, 3] });
    flow.train(options.regularization !== undefined);
    return scope(() => {
      const input = tensorOfArray(x, [5, 2]);
      const context = tensorOfArray(fixture(5)(5), [5, 1]);
      const weights = [
        tensorOfArray(fixture(6)(10), [5, 2]),
        tensorOfArray(fixture(7)(5, 1e-3), [5]),
      ] as const;
      const { gradients } = valueAndGradient(() => {
        const { y, logDet } = flow.forward(input, context);
        return add(sum(mul(y, weights[0])), sum(mul(logDet, weights[1])));
      }, [input, context, ...flow.parameters()]);
      return gradients.flatMap((gradient) => gradient!.toArray().flat()) as number[];
    });
  };

  it('from checkpoints are those through the solver', () => {
    const fixed: OdeSolver = { method: 'rk4', steps: 5 };
    expectClose(
      gradientsOf('checkpoints', fixed),
      gradientsOf('direct', fixed),
      100,
      'checkpoints',
    );
  });

  it('are those with a probe and penalties, which the steps have again', () => {
    const options = {
      trainingTrace: { kind: 'hutchinson' },
      regularization: { kinetic: 300, jacobian: 200 },
    } as const;
    const of = (gradient: OdeGradient, steps: number) =>
      gradientsOf(gradient, { method: 'midpoint', steps }, options);
    const direct = of('direct', 40);
    expectClose(of('checkpoints', 40), direct, 200, 'checkpoints');
    const exact = gradientsOf('direct', { method: 'midpoint', steps: 40 });
    const apart = (a: number[], b: number[]) => Math.max(...a.map((v, i) => Math.abs(v - b[i]!)));
    expect(apart(direct, of('adjoint', 40))).toBeLessThan(0.02 * apart(direct, exact));
  });

  it('are from checkpoints where fit keeps few activations', () => {
    const fixed: OdeSolver = { method: 'rk4', steps: 5 };
    const few = withActivations(new Activations('checkpoints'), () => gradientsOf('direct', fixed));
    expect(few).toEqual(gradientsOf('checkpoints', fixed));
  });

  it('of the adjoint equation are those of the solution', () => {
    const truth = gradientsOf('direct', { method: 'rk4', steps: 40 });
    const rtol = 1e-8;
    const near = (found: number[], most: number) =>
      expect(Math.max(...found.map((v, i) => Math.abs(v - truth[i]!)))).toBeLessThan(most);
    near(gradientsOf('adjoint', { method: 'dopri5', rtol, atol: rtol }), 1e-6);
    near(gradientsOf('adjoint', { method: 'rk4', steps: 10 }), 1e-3);
    near(gradientsOf('direct', { method: 'dopri5', rtol, atol: rtol }), 1e-6);
    expect(Math.max(...truth.map(Math.abs))).toBeGreaterThan(1);
  });

  it('keep as much as they say', () => {
    const input = rows(fixture(8)(400));
    const bytesOf = (gradient: OdeGradient, steps: number) => {
      const flow = flowOf({ use: { method: 'rk4', steps }, gradient });
      const before = memory().bytes;
      const loss = () => sum(flow.forward(input).logDet);
      const program = own(record(() => valueAndGradient(loss, flow.parameters())));
      program.run();
      return memory().bytes - before;
    };
    const more = (gradient: OdeGradient) => bytesOf(gradient, 12) - bytesOf(gradient, 4);
    // Two numbers a row and step, of 8 bytes, and the weights at its moments.
    expect(more('checkpoints')).toBeLessThan(0.2 * more('direct'));
    expect(more('adjoint')).toBeLessThan(0.05 * more('direct'));
  });
});

describe('probes', () => {
  it.each(['rademacher', 'normal'] as const)(
    'have no bias, nor have their gradients: %s',
    (probes) => {
      const draws = 4000;
      const point = fixture(9)(2);
      const use: OdeSolver = { method: 'rk4', steps: 2 };
      const values = (trace: ContinuousFlowOptions['useTrace'], count: number) => {
        const flow = flowOf({ use, ...(trace && { useTrace: trace }) });
        return scope(() => {
          const repeated = Float64Array.from({ length: 2 * count }, (_, i) => point[i % 2]!);
          const input = tensorOfArray(repeated, [count, 2]);
          let logDets: number[] = [];
          const { gradients } = valueAndGradient(() => {
            const { logDet } = flow.forward(input);
            logDets = logDet.toArray() as number[];
            return sum(logDet);
          }, [input]);
          return [
            logDets,
            ...[0, 1].map((k) => [...gradients[0]!.dataSync()].filter((_, i) => i % 2 === k)),
          ];
        });
      };
      const truth = values({ kind: 'exact' }, 1);
      const found = values({ kind: 'hutchinson', probes }, draws);
      for (const [k, sample] of found.entries()) {
        const mean = sample!.reduce((a, b) => a + b) / draws;
        const variance = sample!.reduce((a, b) => a + (b - mean) ** 2, 0) / (draws - 1);
        const error = Math.sqrt(variance / draws);
        expect(Math.abs(mean - truth[k]![0]!) / error).toBeLessThan(3);
        // The test can fail: three errors are little of what is measured.
        expect(3 * error).toBeLessThan(0.3 * Math.abs(truth[k]![0]!));
      }
    },
  );

  it('move on in training, and several are averaged', () => {
    const x = rows(fixture(3)(4000));
    const spread = (samples: number) => {
      const flow = flowOf({ trainingTrace: { kind: 'hutchinson', samples } }).train();
      return scope(() => {
        const [a, b] = [0, 1].map(() => flow.forward(x).logDet.dataSync() as Float64Array);
        return Math.sqrt(a!.reduce((total, v, i) => total + (v - b![i]!) ** 2, 0) / a!.length);
      });
    };
    const [one, four] = [spread(1), spread(4)];
    expect(one).toBeGreaterThan(0.01);
    expect(four / one).toBeGreaterThan(0.4);
    expect(four / one).toBeLessThan(0.6);
  });
});

it('weighs the energy of the way and the norm of the Jacobian, in training alone', () => {
  const x = rows(fixture(3)(6));
  const solver: OdeSolver = { method: 'rk4', steps: 20 };
  const logDets = (kinetic: number, jacobian: number, training = true) => {
    const flow = flowOf({ training: solver, use: solver, regularization: { kinetic, jacobian } });
    return scope(() => {
      const there = flow.train(training).forward(x).logDet.dataSync();
      return there as Float64Array;
    });
  };
  const plain = logDets(0.3, 0.2, false);
  expect(logDets(0, 0)).toEqual(plain);
  // The energy by Simpson's rule on the way.
  const flow = flowOf({ use: { method: 'rk4', steps: 40 } });
  const energy = scope(() => {
    const moments = Array.from({ length: 21 }, (_, k) => 1 - k / 20);
    const places = flow.path(x, moments, null, 'data');
    const open = flow.field.open(null, 3);
    const speeds = places.map((z, k) =>
      flow.field.linearize(open.at([moments[k]!])[0]!, z).out.dataSync(),
    );
    return [0, 1, 2].map((n) =>
      speeds.reduce((total, f, k) => {
        const weight = k === 0 || k === 20 ? 1 : k % 2 ? 4 : 2;
        return total + (weight / 60) * (f[2 * n]! ** 2 + f[2 * n + 1]! ** 2);
      }, 0),
    );
  });
  const weighed = logDets(0.3, 0);
  for (const [n, value] of plain.entries())
    expect((value - weighed[n]!) / 0.3).toBeCloseTo(energy[n]!, 4);
  const both = logDets(0.3, 0.2);
  for (const [n, value] of weighed.entries()) expect(value - both[n]!).toBeGreaterThan(0.01);
});

describe('what goes wrong', () => {
  it('a stiff field ends in words', () => {
    const flow = flowOf(
      { use: { method: 'dopri5', mostEvaluations: 500 } },
      { time: 'concat', activation: 'softplus' },
    );
    for (const weight of flow.field.weights) weight.write(weight.dataSync().map((w) => 20 * w));
    const x = rows(fixture(3)(6));
    expect(() => flow.forward(x)).toThrow(
      /\[ContinuousFlow\] solver: expected to reach t = 0 from t = 1, got .*(evaluations|steps).*: the field is stiff/,
    );
    flow.field.bias.write(flow.field.bias.dataSync().fill(Number.NaN));
    expect(() => flow.forward(x)).toThrow(/got rates that are not finite at the start/);
  });

  it('a row that is not finite leaves its neighbours alone, and is flagged', () => {
    const flow = flowOf();
    const values = fixture(3)(6);
    const broken = values.slice();
    broken[3] = Number.NaN;
    scope(() => {
      const [good, bad] = [values, broken].map((v) => flow.forward(rows(v)));
      expect(bad!.solve!.converged.toArray()).toEqual([1, 0, 1]);
      const [a, b] = [good!.y.dataSync(), bad!.y.dataSync()];
      for (const i of [0, 1, 4, 5]) expect(Math.abs(a[i]! - b[i]!)).toBeLessThan(1e-4);
      expect(b[3]).toBeNaN();
    });
  });

  it.each<[string, Partial<FfjordOptions>, RegExp]>([
    ['a tolerance', { use: { method: 'dopri5', rtol: -1 } }, /use.rtol: expected a number ≥ 0/],
    ['steps', { training: { method: 'rk4', steps: 0 } }, /training.steps: expected a whole/],
    ['a method', { use: { method: 'rk5' as 'rk4' } }, /use.method: expected rk4, midpoint/],
    ['no layers', { hidden: [] }, /hidden: expected 1 to 16/],
    ['a weight', { regularization: { kinetic: -1 } }, /regularization.kinetic: expected/],
    ['probes', { useTrace: { kind: 'hutchinson', samples: 0 } }, /useTrace.samples/],
  ])('refuses %s', (_name, options, says) => {
    expect(() => ffjord({ features: 2, ...options })).toThrow(says);
  });

  it('a tolerance below what the type resolves', () => {
    const flow = own(ffjord({ features: 2, use: { method: 'dopri5', rtol: 1e-9 } }));
    expect(() => flow.logProb([[1, 2]])).toThrow(/rtol: expected at least 9.5e-7, what float32/);
  });
});

describe('densities', () => {
  it('starts as the identity flow', () => {
    const flow = own(ffjord({ features: 2, contextFeatures: 3, dtype: 'float64' }));
    const x = fixture(1)(8);
    const { y, logDet } = scope(() =>
      flow.bijection.forward(rows(x), own(tensorOfArray(fixture(2)(12), [4, 3]))),
    );
    expect(y.dataSync()).toEqual(x);
    expect(logDet.toArray()).toEqual([0, 0, 0, 0]);
    for (const tensor of [y, logDet]) tensor.dispose();
  });

  it.each([1, 2])('integrate to one in %i dimensions', (features) => {
    const flow = own(ffjord({ features, hidden: [6, 6], dtype: 'float64', seed: 3 }));
    randomize(flow.bijection, 5, 0.9);
    const density = (x: Float64Array) =>
      scope(() =>
        flow
          .logProb(tensorOfArray(x, [x.length / features, features]))
          .dataSync()
          .map(Math.exp),
      );
    const total = features === 1 ? integrate1d(density, -9, 9) : integrate2d(density, -9, 9, 12, 6);
    expect(Math.abs(total - 1)).toBeLessThan(1e-4);
  });

  it('are learned in recorded steps, and saved', async () => {
    const stream = new RandomStream(3);
    // A ring.
    const noise = scope(() => stream.normal([1200], 'float64').dataSync());
    const data = Array.from({ length: 600 }, (_, n) => {
      const [a, b] = [noise[2 * n]!, noise[2 * n + 1]!];
      return [2 * Math.cos(3 * a) + 0.2 * b, 2 * Math.sin(3 * a) + 0.2 * b];
    });
    stream.dispose();
    const flow = own(
      ffjord({ features: 2, hidden: [24, 24], training: { method: 'rk4', steps: 4 }, seed: 1 }),
    );
    const mean = () =>
      scope(
        () =>
          flow
            .logProb(data)
            .toArray()
            .reduce((a, b) => a + b) / 600,
      );
    const before = mean();
    const { compiled } = await fit(flow, data, {
      steps: 150,
      batchSize: 200,
      optimizer: adam({ lr: 1e-2 }),
    });
    expect(compiled).toBe(true);
    expect(mean()).toBeGreaterThan(before + 0.5);
    const { mkdtemp, rm } = await import('node:fs/promises');
    const folder = await mkdtemp('/tmp/continuous-');
    try {
      await flow.save(`${folder}/flow.safetensors`);
      const again = own(await Flow.load(`${folder}/flow.safetensors`));
      expect(again.logProb(data.slice(0, 5)).toArray()).toEqual(
        flow.logProb(data.slice(0, 5)).toArray(),
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('are learned with steps by the error too, op by op', async () => {
    const flow = own(
      ffjord({ features: 1, hidden: [8], training: { method: 'dopri5', rtol: 1e-3 } }),
    );
    const data = [...fixture(3)(64)].map((v) => [3 + 0.5 * v]);
    for (const gradient of ['direct', 'adjoint'] as const) {
      const its = own(
        ffjord({ features: 1, hidden: [8], training: { method: 'dopri5', rtol: 1e-3 }, gradient }),
      );
      const { compiled, history } = await fit(its, data, {
        steps: 12,
        batchSize: 64,
        optimizer: adam({ lr: 0.05 }),
      });
      expect(compiled).toBe(false);
      expect(history.at(-1)!.trainLoss).toBeLessThan(history[0]!.trainLoss - 0.5);
    }
    expect(flow.features).toBe(1);
  });
});

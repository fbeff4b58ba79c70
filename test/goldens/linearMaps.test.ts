import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import {
  DenseLinear,
  type LinearMap,
  LuLinear,
  OrthogonalLinear,
  QrLinear,
  TriangularLinear,
} from '../../lib/bijections';
import {
  add,
  affineScalar,
  cast,
  luFactor,
  luFactorSolve,
  mean,
  mul,
  neg,
  normalLogProb,
  sum,
  triangularSolve,
} from '../../lib/ops';
import { memory } from '../../lib/runtime';
import { scope } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { expectClose } from '../reference/close';
import {
  type GoldenDense,
  type GoldenLinearMap,
  type GoldenSolve,
  type GoldenTensors,
  goldenCases,
  values,
} from '../reference/goldens';
import { takeAdamSteps } from './adamSteps';
import { goldenTensor } from './load';

const cases = goldenCases('linearMaps');
const named = <Row extends { readonly name: string }>(rows: readonly Row[]) =>
  rows.map((row) => [row.name, row] as const);
const solves = named(cases.filter((row): row is GoldenSolve => row.type === 'solve'));
const denses = named(cases.filter((row): row is GoldenDense => row.type === 'dense'));
const maps = named(cases.filter((row): row is GoldenLinearMap => row.type === 'map'));

// A dozen terms a sum, and condition numbers of up to some hundred; the largest of the array is the scale.
const units = 4000;

it.each(solves)('triangular solve golden %s', (_name, row) => {
  scope(() => {
    const [t, b] = [goldenTensor(row.inputs.t), goldenTensor(row.inputs.b)];
    const x = triangularSolve(t, b, row.options);
    expect(x.shape).toEqual(row.outputs.x.shape);
    expectClose(x.dataSync(), values(row.outputs.x), units, 'x');
    const { gradients } = valueAndGradient(
      () => sum(mul(triangularSolve(t, b, row.options), goldenTensor(row.outputWeights))),
      [t, b],
    );
    expectClose(gradients[0]!.dataSync(), values(row.gradients.t), units, 'dt');
    expectClose(gradients[1]!.dataSync(), values(row.gradients.b), units, 'db');
  });
});

it.each(denses)('determinant and equations golden %s', (_name, row) => {
  scope(() => {
    const names = ['w', 'y', 'bias'];
    const [w, y, bias] = names.map((name) => goldenTensor(row.inputs[name])) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const lu = luFactor(w);
    expectClose(lu.logAbsDet.dataSync(), values(row.outputs.logAbsDet), units, 'log|det|', 1);
    expect(lu.sign.item()).toBe(values(row.outputs.sign)[0]);
    expectClose(luFactorSolve(lu, y, bias).dataSync(), values(row.outputs.x), units, 'x');
    const { gradients } = valueAndGradient(() => {
      const own = luFactor(w);
      const weighted = sum(mul(luFactorSolve(own, y, bias), goldenTensor(row.outputWeights)));
      return add(weighted, affineScalar(own.logAbsDet, row.logDetWeight, 0));
    }, [w, y, bias]);
    names.forEach((name, k) => {
      expectClose(gradients[k]!.dataSync(), values(row.gradients[name]), units, `d ${name}`);
    });
  });
});

function build(row: GoldenLinearMap): LinearMap {
  const { kind, channels, positions, reflections } = row;
  const shared = { channels, positions, bias: 'bias' in row.params, dtype: 'float64' } as const;
  const make = {
    lu: () => new LuLinear(shared),
    lower: () => new TriangularLinear(shared),
    upper: () => new TriangularLinear({ ...shared, lower: false }),
    qr: () => new QrLinear({ ...shared, reflections }),
    orthogonal: () => new OrthogonalLinear({ ...shared, reflections }),
    dense: () => new DenseLinear(shared),
  };
  const map: LinearMap = make[kind]();
  const own = map.namedParameters();
  expect([...own.keys()].sort()).toEqual(Object.keys(row.params).sort());
  for (const [name, tensor] of own) tensor.write(values(row.params[name]));
  map.namedState().get('sign')?.write(Float64Array.from(row.sign));
  map.namedState().get('rows')?.write(Int32Array.from(row.rows));
  return map;
}

describe.each(maps)('linear map golden %s', (_name, row) => {
  const directions = [
    ['forward', row.inputs.x, row.outputs, row.gradients, 'x', 'y'],
    ['inverse', row.inverse.inputs.y, row.inverse.outputs, row.inverse.gradients, 'y', 'x'],
  ] as const;

  it.each(directions)(
    '%s, log-det and gradients',
    (direction, given, outputs, golden, from, to) => {
      const map = build(row);
      scope(() => {
        const input = goldenTensor(given);
        const run = () => {
          if (direction === 'forward') return map.forward(input);
          const { x, logDet } = map.inverse(input);
          return { y: x, logDet };
        };
        const made = run();
        expectClose(made.y.dataSync(), values(outputs[to]), units, to);
        expectClose(made.logDet.dataSync(), values(outputs.logDet), units, 'logDet', 1);
        const [weights, logDetWeights] = [row.outputWeights.y, row.outputWeights.logDet];
        const parameters = [...map.namedParameters()];
        const { gradients } = valueAndGradient(() => {
          const { y, logDet } = run();
          return add(
            sum(mul(y, goldenTensor(weights))),
            sum(mul(logDet, goldenTensor(logDetWeights))),
          );
        }, [input, ...parameters.map(([, tensor]) => tensor)]);
        const wanted: GoldenTensors = golden;
        expectClose(gradients[0]!.dataSync(), values(wanted[from]), units, `d ${from}`);
        parameters.forEach(([name], k) => {
          expectClose(gradients[k + 1]!.dataSync(), values(wanted[name]), units, `d ${name}`);
        });
      });
      map.dispose();
    },
  );

  it.each([true, false])('parameters after ten Adam steps, compiled: %s', (compile) => {
    const before = memory().buffers;
    const map = build(row);
    const { lr, batches, losses, params } = row.training;
    const steps = { optimizer: { lr }, batches: batches.map((x) => ({ x })), losses };
    const loss = (x: Tensor) => {
      const { y, logDet } = map.forward(x);
      return neg(mean(add(cast(normalLogProb(y), 'float64'), logDet)));
    };
    takeAdamSteps(map, steps, loss, { compile, close: [units, 1] });
    // The 1e-10, relative to the largest value of the tensor.
    for (const [name, tensor] of map.namedParameters())
      expectClose(tensor.dataSync(), values(params[name]), 1e-10 / 2 ** -52, name);
    map.dispose();
    expect(memory().buffers).toBe(before);
  });
});

it('covers what it says', () => {
  expect([solves.length, denses.length]).toEqual([19, 3]);
  expect(maps.map(([, { kind }]) => kind)).toEqual([
    ...['lu', 'lu', 'lu', 'lower', 'upper', 'qr', 'qr', 'orthogonal', 'orthogonal', 'dense'],
  ]);
});

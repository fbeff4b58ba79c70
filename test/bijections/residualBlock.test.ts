import { describe, expect, it, vi } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import {
  type Chain,
  type LogDetEstimator,
  ResidualBlock,
  type RouletteLength,
} from '../../lib/bijections';
import { residualFlow, residualFlowImage } from '../../lib/flows';
import { LipschitzNet, type LipschitzNetOptions } from '../../lib/nn';
import { RandomStream, sum } from '../../lib/ops';
import { memory } from '../../lib/runtime';
import { record } from '../../lib/tensor/program';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { adam, fit } from '../../lib/train';
import { own } from '../disposables';
import { fixture } from '../reference/close';
import { integrate2d } from '../reference/quadrature';
import { randomize } from './cases';

function blockOf(
  use: LogDetEstimator,
  options: Partial<LipschitzNetOptions> = {},
  scale = 1.2,
): ResidualBlock {
  const network = new LipschitzNet({
    ...{ channels: 3, hidden: [8], coefficient: 0.9, dtype: 'float64' },
    ...options,
  });
  randomize(network, 53, scale);
  return own(new ResidualBlock({ network, use }));
}

/** g of Jacobian ±0.81·I near the origin: the slope of elu is 1 where the bias lifts it. */
function straightBlock(sign: number, use: LogDetEstimator = { kind: 'exact' }): ResidualBlock {
  const block = blockOf(use, { channels: 2, hidden: [2], activation: 'elu' });
  for (const [k, layer] of block.network.layers.entries()) {
    layer.weight.write(Float64Array.of(2, 0, 0, 2).map((w) => (k === 0 ? w : sign * w)));
    layer.bias.write(Float64Array.of(20, 20));
    layer.converge();
  }
  return block;
}

const repeated = (point: ArrayLike<number>, rows: number) =>
  tensorOfArray(
    Float64Array.from({ length: rows * point.length }, (_, i) => point[i % point.length]!),
    [rows, point.length],
  );

describe('log-dets with a drawn number of terms', () => {
  const draws = 10_000;
  const lengths: readonly RouletteLength[] = [
    { kind: 'poisson', rate: 2 },
    { kind: 'geometric', p: 0.4 },
  ];

  it.each([
    ['poisson', 'rademacher', lengths[0]!],
    ['geometric', 'normal', lengths[1]!],
  ] as const)('have no bias, nor have their gradients: %s, %s', (_name, probes, length) => {
    const point = fixture(3)(3);
    const exact = blockOf({ kind: 'exact' });
    const drawn = blockOf({ kind: 'roulette', length, probes, exactTerms: 1, draw: 'sample' });
    const values = (block: ResidualBlock, rows: number) =>
      scope(() => {
        const x = repeated(point, rows);
        let logDets = new Float64Array(rows);
        const { gradients } = valueAndGradient(() => {
          const { logDet } = block.forward(x);
          logDets = logDet.dataSync() as Float64Array<ArrayBuffer>;
          return sum(logDet);
        }, [x]);
        return { logDets, gradients: gradients[0]!.dataSync() };
      });
    const truth = values(exact, 1);
    const found = values(drawn, draws);
    const column = (of: ArrayLike<number>, k: number, width: number) =>
      Float64Array.from({ length: draws }, (_, n) => of[n * width + k]!);
    const cases = [
      [column(found.logDets, 0, 1), truth.logDets[0]!] as const,
      ...[0, 1, 2].map((k) => [column(found.gradients, k, 3), truth.gradients[k]!] as const),
    ];
    for (const [sample, wanted] of cases) {
      const mean = sample.reduce((a, b) => a + b) / draws;
      const variance = sample.reduce((a, b) => a + (b - mean) ** 2, 0) / (draws - 1);
      const error = Math.sqrt(variance / draws);
      expect(Math.abs(mean - wanted) / error).toBeLessThan(3);
      // The test can fail: three errors are little of what is measured.
      expect(3 * error).toBeLessThan(0.3 * Math.abs(wanted));
    }
  });

  it('a cut series is what its terms say', () => {
    const x = own(tensorOfArray(fixture(3)(4), [2, 2]));
    const of = (use: LogDetEstimator) =>
      scope(() => straightBlock(-1, use).forward(x).logDet.toArray());
    // Of a multiple of the identity probes of ±1 give the trace itself.
    const terms = (count: number) =>
      Array.from({ length: count }, (_, k) => (-2 * 0.81 ** (k + 1)) / (k + 1)).reduce(
        (a, b) => a + b,
      );
    for (const [n, exact] of of({ kind: 'exact' }).entries()) {
      expect(exact).toBeCloseTo(2 * Math.log(0.19), 9);
      expect(of({ kind: 'series', terms: 3, samples: 2 })[n]).toBeCloseTo(terms(3), 9);
      const long = { kind: 'series', terms: 100, gradient: 'backprop' } as const;
      expect(of(long)[n]).toBeCloseTo(exact, 8);
    }
  });
});

it('a Neumann gradient takes the memory of one term, however many there are', () => {
  const x = own(tensorOfArray(fixture(3)(3 * 200), [200, 3]));
  const bytesOf = (terms: number, gradient: 'neumann' | 'backprop') => {
    const block = blockOf({ kind: 'series', terms, gradient });
    const before = memory().bytes;
    const program = own(
      record(() => valueAndGradient(() => sum(block.forward(x).logDet), block.parameters())),
    );
    program.run();
    return memory().bytes - before;
  };
  // The weights of the terms are numbers of the block, not of the step.
  expect(bytesOf(60, 'neumann')).toBe(bytesOf(3, 'neumann'));
  expect(bytesOf(60, 'backprop')).toBeGreaterThan(5 * bytesOf(3, 'backprop'));
});

describe('the inverse', () => {
  it('is accelerated, and says what it did', () => {
    const y = own(tensorOfArray(fixture(9)(10), [5, 2]));
    const [plain, fast] = [0, 4].map((anderson) => {
      const block = straightBlock(1);
      const again = own(new ResidualBlock({ network: block.network, solver: { anderson } }));
      return scope(() => {
        const { solve } = again.inverse(y);
        expect(solve!.converged.toArray()).toEqual([1, 1, 1, 1, 1]);
        expect(Math.max(...solve!.residual.toArray())).toBeLessThan(32 * 2 ** -52);
        return Math.max(...solve!.iterations.toArray());
      });
    });
    expect(plain!).toBeGreaterThan(100);
    expect(fast!).toBeLessThan(plain! / 10);
  });

  it('gives a row the same bits whatever stands beside it', () => {
    const block = blockOf({ kind: 'exact' });
    const values = fixture(4)(5 * 3);
    const rowsOf = (rows: number) =>
      scope(() => {
        const y = tensorOfArray(values.slice(0, 3 * rows), [rows, 3]);
        return block.inverse(y).x.dataSync().slice(0, 3);
      });
    expect(rowsOf(5)).toEqual(rowsOf(1));
  });

  it('comes back from far outside', () => {
    const block = blockOf({ kind: 'exact' });
    for (const far of [10, 100, 1e4]) {
      scope(() => {
        const x = tensorOfArray(Float64Array.of(far, -far, far / 2, -far, 0, 1), [2, 3]);
        const back = block.inverse(block.forward(x).y);
        expect(back.solve!.converged.toArray()).toEqual([1, 1]);
        const off = back.x.dataSync().map((value, i) => Math.abs(value - x.dataSync()[i]!));
        expect(Math.max(...off)).toBeLessThan(1e-12 * far);
      });
    }
  });

  it('flags what does not converge', () => {
    const block = blockOf({ kind: 'exact' });
    const hurried = own(
      new ResidualBlock({ network: block.network, solver: { mostIterations: 2 } }),
    );
    scope(() => {
      const { solve } = hurried.inverse(tensorOfArray(fixture(5)(6), [2, 3]));
      expect(solve!.converged.toArray()).toEqual([0, 0]);
      expect(solve!.iterations.toArray()).toEqual([2, 2]);
      expect(Math.min(...solve!.residual.toArray())).toBeGreaterThan(1e-14);
    });
  });
});

describe('norms', () => {
  it('stay under the bound when training ends, whatever the weights have become', () => {
    const network = own(new LipschitzNet({ channels: 3, hidden: [8, 8], dtype: 'float64' }));
    network.train(true);
    const draw = fixture(7);
    for (const { weight } of network.layers) weight.write(draw(weight.size, 20));
    network.train(false);
    const x = own(tensorOfArray(fixture(8)(3), [1, 3]));
    scope(() => {
      for (const layer of network.layers) {
        expect(layer.norm().item()).toBeGreaterThan(5);
        const before = layer.norm().item();
        layer.iterate(500);
        expect(layer.norm().item() / before).toBeLessThan(1.001);
      }
      expect(network.apply(x).dataSync().every(Number.isFinite)).toBe(true);
    });
  });

  it('stay as they are where nothing was trained', () => {
    const network = own(new LipschitzNet({ channels: 3, hidden: [8], dtype: 'float64' }));
    const vectors = () => network.layers.flatMap(({ u, v }) => [...u.toArray(), ...v.toArray()]);
    const before = vectors();
    network.train(false);
    expect(vectors()).toEqual(before);
  });

  it('of weights that are no numbers are soon given up', () => {
    const network = own(new LipschitzNet({ channels: 2, hidden: [4], dtype: 'float64' }));
    const [layer] = network.layers;
    layer!.weight.write(new Float64Array(layer!.weight.size).fill(Number.NaN));
    const iterations = vi.spyOn(layer!, 'iterate');
    layer!.converge();
    expect(iterations).toHaveBeenCalledTimes(1);
  });

  it('of zero weights are no trouble', () => {
    const network = own(new LipschitzNet({ channels: 2, hidden: [4] }));
    for (const layer of network.layers) layer.weight.write(new Float32Array(layer.weight.size));
    network.train(true).advance();
    const x = own(tensorOfArray(Float32Array.of(1, 2), [1, 2]));
    const out = scope(() => {
      const { gradients } = valueAndGradient(() => sum(network.apply(x)), network.parameters());
      return gradients.flatMap((gradient) => gradient?.toArray() ?? []);
    });
    expect(out.every(Number.isFinite)).toBe(true);
  });
});

describe('recipes', () => {
  it('draws of a block are not those that made its weights', () => {
    const flow = own(residualFlow({ features: 6, transforms: 1, actNorm: false, seed: 3 }));
    const [block] = (flow.bijection as Chain).bijections as ResidualBlock[];
    const { seed } = block!;
    const stream = own(new RandomStream(seed));
    const network = new LipschitzNet({ channels: 6, seed });
    const weight = (net: LipschitzNet) => net.layers[0]!.weight.toArray();
    expect(weight(own(network))).toEqual(weight(block!.network));
    expect(block!.namedState().get('random')!.toArray()).not.toEqual(stream.state.toArray());
  });

  it('a density of the plane integrates to 1', () => {
    const flow = own(residualFlow({ features: 2, transforms: 2, hidden: [8], dtype: 'float64' }));
    randomize(flow, 12, 0.8);
    const density = (points: Float64Array) =>
      scope(() => {
        const rows = tensorOfArray(points, [points.length / 2, 2]);
        return Array.from(flow.logProb(rows).dataSync(), Math.exp);
      });
    expect(Math.abs(integrate2d(density, -9, 9) - 1)).toBeLessThan(1e-6);
  });

  it('a step with a drawn number of terms is recorded, and gives the same bits as without', async () => {
    const rows = Float32Array.from(fixture(6)(64 * 6));
    const train = { data: rows, rows: 64, cols: 6 };
    const results = [];
    for (const compile of [true, false]) {
      const flow = own(residualFlow({ features: 6, transforms: 2, hidden: [8], seed: 1 }));
      const options = { optimizer: adam({ lr: 1e-2 }), batchSize: 32, epochs: 4, seed: 2, compile };
      const { compiled, history } = await fit(flow, train, options);
      expect(compiled).toBe(compile);
      results.push([
        history.map((record) => record.trainLoss),
        [...flow.namedParameters(), ...flow.namedState()].map(([, tensor]) => tensor.toArray()),
      ]);
      expect(history.at(-1)!.trainLoss).toBeLessThan(history[0]!.trainLoss);
    }
    expect(results[1]).toEqual(results[0]);
  });

  it('images: both directions, log-dets by a series', () => {
    const image = { height: 4, width: 4, channels: 1 };
    const flow = own(residualFlowImage({ image, transforms: 1, hidden: 4, scales: 2 }));
    scope(() => {
      const x = flow.sample(3, { seed: 1, quantize: false });
      const { y } = flow.forward(x);
      const off = flow
        .inverse(y)
        .x.dataSync()
        .map((v, i) => Math.abs(v - x.dataSync()[i]!));
      expect(Math.max(...off)).toBeLessThan(0.01);
    });
  });
});

import { afterAll, describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { ResidualBlock } from '../../lib/bijections';
import { LipschitzNet, type LipschitzNetOptions } from '../../lib/nn';
import { add, affineScalar, mul, reshape, residualSeries, sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { expectClose } from '../reference/close';
import { type GoldenResidual, goldenCases, values } from '../reference/goldens';
import { goldenTensor } from './load';

const cases = goldenCases('residual');

describe.each(cases.map((row) => [row.name, row] as const))('residual golden %s', (_name, row) => {
  const network = new LipschitzNet({
    ...(row.options as unknown as LipschitzNetOptions),
    dtype: 'float64',
  });
  const block = new ResidualBlock({ network, use: { kind: 'exact' } });
  for (const [name, tensor] of network.namedParameters()) tensor.write(values(row.params[name]));
  // The error of the norm is that of the vectors squared.
  for (const layer of network.layers) layer.iterate(400);
  afterAll(() => block.dispose());
  const { positions } = network;
  const samples = (row.x.shape[0] as number) / positions;
  const features = network.channels * positions;
  const seeds = Float64Array.from({ length: samples }, (_, n) => n + 1);
  // Products of three layers, and norms from power iterations.
  const units = 2000;

  const gradientsOf = (what: keyof GoldenResidual['gradients'], value: (x: Tensor) => Tensor) =>
    scope(() => {
      const x = goldenTensor(row.x);
      const names = [...network.namedParameters().keys()];
      const leaves = [x, ...network.parameters()];
      const weights = tensorOfArray(seeds, [samples]);
      const { gradients } = valueAndGradient(() => sum(mul(value(x), weights)), leaves);
      ['x', ...names].forEach((name, k) => {
        const wanted = values(row.gradients[what][name]);
        const got = gradients[k]?.dataSync() ?? new Float64Array(wanted.length);
        expectClose(got, wanted, units, `${what} by ${name}`);
      });
    });

  it('norms of the layers as operators', () => {
    scope(() => {
      const norms = network.layers.map((layer) => layer.norm().item());
      expectClose(norms, values(row.norms), 100, 'norms');
      // The bound is at work.
      expect(Math.max(...norms)).toBeGreaterThan(network.coefficient);
    });
  });

  it('y, exact log-det and its gradients', () => {
    scope(() => {
      const x = reshape(goldenTensor(row.x), [samples, features]);
      const { y, logDet } = block.forward(x);
      expectClose(y.dataSync(), values(row.y), units, 'y');
      expectClose(logDet.dataSync(), values(row.logDet), units, 'logDet');
    });
    gradientsOf('exact', (x) => block.forward(reshape(x, [samples, features])).logDet);
  });

  it('the power series with fixed probes, forward and backward mode, and its gradients', () => {
    const perSample = (t: Tensor) => sum(reshape(t, [samples, features]), -1);
    const ones = Array.from({ length: row.terms }, () => 1);
    scope(() => {
      const probes = goldenTensor(row.probes);
      const q = tensorOfArray(Float64Array.from(ones), [1, ones.length]);
      const { layers, jvp, vjp } = network.linearize(goldenTensor(row.x));
      const { series, weighted } = residualSeries(probes, q, layers, positions);
      expectClose(series.dataSync(), values(row.series), units, 'series');
      expectClose(weighted.dataSync(), values(row.weighted), units, 'weighted');
      const [there, back] = [jvp(weighted), vjp(probes)];
      expectClose(
        perSample(mul(there, probes)).dataSync(),
        perSample(mul(back, weighted)).dataSync(),
        units,
        'vᵀJw',
      );
    });
    gradientsOf('series', (x) => {
      const { vjp } = network.linearize(x);
      const probes = goldenTensor(row.probes);
      let w = probes;
      return ones
        .map((_, k) => {
          w = vjp(w);
          return affineScalar(perSample(mul(w, probes)), (k % 2 ? -1 : 1) / (k + 1));
        })
        .reduce(add);
    });
    gradientsOf('neumann', (x) => {
      const { jvp } = network.linearize(x);
      return perSample(mul(goldenTensor(row.weighted), jvp(goldenTensor(row.probes))));
    });
  });
});

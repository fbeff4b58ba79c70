/** Norms of layers from one vector norm to another, against ascent from many starts in PyTorch. */
import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { LipschitzNet } from '../../lib/nn';
import { build } from '../../lib/nn/registry';
import { SpectralLayer } from '../../lib/nn/spectral';
import { RandomStream } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { type GoldenInducedNorm, goldenCases, values } from '../reference/goldens';

function layerOf({ sizes, orders, weight }: GoldenInducedNorm): SpectralLayer {
  const { inputs, outputs, kernel, image } = sizes;
  const [domain, codomain] = orders.map(Number) as [number, number];
  const geometry = image
    ? { height: image[0], width: image[1], kernel: [kernel, kernel] as const }
    : null;
  const options = { inputs, outputs, geometry, coefficient: 0.9, iterations: 1 };
  const layer = new SpectralLayer(
    { ...options, dtype: 'float64', orders: { domain, codomain } },
    new RandomStream(1),
  );
  layer.weight.write(values(weight));
  layer.converge();
  return layer;
}

const largest = (list: ArrayLike<number>) =>
  Array.from(list).reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describe('induced norms', () => {
  it.each(goldenCases('inducedNorms').map((row) => [row.name, row] as const))('%s', (_, row) => {
    scope(() => {
      const layer = layerOf(row);
      const [wanted] = values(row.norm) as unknown as [number];
      const { value, gradients } = valueAndGradient(() => layer.norm(), [layer.weight]);
      // Power iteration ends where a step adds 1e-5 of the norm; it converges linearly.
      expect(Math.abs(value.item() - wanted)).toBeLessThan(1e-4 * wanted);
      const slopes = values(row.gradient);
      const misses = gradients[0]?.dataSync().map((d, k) => Number(d) - (slopes[k] as number));
      expect(largest(misses as Float64Array)).toBeLessThan(0.03 * largest(slopes));
      // An axis has norm 1 in every order, and its image has an entry of the weights.
      expect(value.item()).toBeGreaterThan(largest(values(row.weight)) * (1 - 1e-9));
      layer.dispose();
    });
  });

  it('learned orders start at 2, and their gradient is that of the norm', () => {
    scope(() => {
      const raw = tensorOfArray(Float64Array.of(0.3), [1]);
      const other = tensorOfArray(Float64Array.of(-0.4), [1]);
      const options = { inputs: 3, outputs: 4, coefficient: 0.9, iterations: 1 };
      const orders = { domain: { raw }, codomain: { raw: other } };
      const layer = new SpectralLayer(
        { ...options, dtype: 'float64', orders },
        new RandomStream(2),
      );
      const at = (a: number, b: number) => {
        raw.write(Float64Array.of(a));
        other.write(Float64Array.of(b));
        layer.iterate(60);
        return layer.norm().item();
      };
      const h = 1e-4;
      const wanted = [
        (at(0.3 + h, -0.4) - at(0.3 - h, -0.4)) / (2 * h),
        (at(0.3, -0.4 + h) - at(0.3, -0.4 - h)) / (2 * h),
      ];
      at(0.3, -0.4);
      const { gradients } = valueAndGradient(() => layer.norm(), [raw, other]);
      const got = gradients.map((gradient) => gradient?.item() as number);
      got.forEach((value, k) => void expect(value).toBeCloseTo(wanted[k] as number, 6));
      expect(largest(got)).toBeGreaterThan(0.01);
      layer.dispose();
    });
    const network = new LipschitzNet({ channels: 3, hidden: [4], norm: { orders: 'learned' } });
    const spectral = new LipschitzNet({ channels: 3, hidden: [4] });
    for (const [l, layer] of network.layers.entries()) {
      expect(layer.norm().item()).toBeCloseTo(spectral.layers[l]?.norm().item() as number, 4);
    }
    network.dispose();
    spectral.dispose();
  });

  it('come back from a config, infinity too', () => {
    const norm = { orders: [1, Number.POSITIVE_INFINITY] };
    const network = new LipschitzNet({ channels: 2, hidden: [3], norm });
    const copy = build(JSON.parse(JSON.stringify(network.config()))) as LipschitzNet;
    expect(copy.layers.map((layer) => layer.options.orders)).toEqual([
      { domain: 1, codomain: Number.POSITIVE_INFINITY },
      { domain: Number.POSITIVE_INFINITY, codomain: 1 },
    ]);
    network.dispose();
    copy.dispose();
  });

  it('refuses orders below 1 and lists of another length', () => {
    for (const orders of [0.5, Number.NaN, [2, 3], [2, 2, 0]]) {
      expect(() => new LipschitzNet({ channels: 2, hidden: [3, 3], norm: { orders } })).toThrow(
        /\[LipschitzNet\] norm\.orders: expected 'learned', a number from 1 to Infinity, or 3 of them/,
      );
    }
  });
});

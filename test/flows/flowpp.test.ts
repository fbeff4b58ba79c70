/** Flow++: couplings by mixtures of logistics, as densities and as samplers. */
import { describe, expect, it } from 'vitest';
import {
  adam,
  evaluate,
  type Flow,
  fit,
  flowpp,
  flowppImage,
  RandomStream,
  scope,
  tensor,
  unsolvedRows,
} from '../../lib';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { build } from '../../lib/nn/registry';
import { sum } from '../../lib/ops';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { randomize } from '../bijections/cases';
import { expectClose } from '../reference/close';
import { integrate2d } from '../reference/quadrature';

const dtype = 'float64';

describe('flowpp', () => {
  it('integrates to one over the plane, with maps that are far from the identity', () => {
    const flow = flowpp({ features: 2, transforms: 2, hidden: [6], activation: 'tanh', dtype });
    randomize(flow.bijection, 3, 0.3);
    const density = (rows: Float64Array) =>
      scope(() =>
        flow
          .logProb(tensorOfArray(rows, [rows.length / 2, 2]))
          .dataSync()
          .map(Math.exp),
      );
    expect(integrate2d(density as never, -12, 12, 40, 4)).toBeCloseTo(1, 3);
    flow.dispose();
  });

  it.each(['float32', 'float64'] as const)('%s: goes there and back, far outside too', (type) => {
    const flow = flowpp({
      features: 5,
      transforms: 3,
      hidden: [8],
      contextFeatures: 2,
      dtype: type,
    });
    randomize(flow.bijection, 5, 0.4);
    scope(() => {
      const rows = [
        [0.1, -1, 2, 0.5, -0.3],
        [10, -10, 100, 0, -100],
        [1e4, 1e-4, -1e4, 3, -1],
      ];
      const context = [
        [1, -1],
        [0, 2],
        [3, 3],
      ];
      const { y, logDet } = flow.forward(tensor(rows, { dtype: type }), context);
      const back = flow.inverse(y, context);
      expect(unsolvedRows(back.solve as NonNullable<typeof back.solve>)).toBe(0);
      const eps = type === 'float64' ? 2 ** -52 : 2 ** -23;
      const near = (found: ArrayLike<number>, wanted: readonly number[], units: number) => {
        const size = 1 + Math.max(...wanted.map(Math.abs));
        wanted.forEach((v, k) => {
          expect(Math.abs((found[k] as number) - v)).toBeLessThan(units * eps * size);
        });
      };
      const flat = (of: { dataSync(): ArrayLike<number> }) => Array.from(of.dataSync());
      near(flat(back.x), rows[0] as number[], 1e4);
      near(flat(back.logDet), [-(flat(logDet)[0] as number)], 1e4);
      // Far outside the networks say logistics that are far from each other, and the map is flat between two of them: there y says
      // nothing of x. All are numbers.
      expect([...flat(y), ...flat(back.x), ...flat(logDet)].every(Number.isFinite)).toBe(true);
      const leaf = tensor(rows, { dtype: type });
      const { gradients } = valueAndGradient(
        () => sum(flow.logProb(leaf, context)),
        [leaf, ...flow.parameters()],
      );
      for (const gradient of gradients)
        expect([...(gradient?.dataSync() ?? [])].every(Number.isFinite)).toBe(true);
    });
    flow.dispose();
  });

  it('starts near the identity and learns three bumps, by recorded steps', async () => {
    const stream = new RandomStream(1);
    const [noise, side] = [stream.normal([3000, 2]).dataSync(), stream.uniformArray(3000)];
    const rows = Float32Array.from(noise, (v, k) => {
      const bump = Math.floor(3 * (side[Math.floor(k / 2)] as number)) - 1;
      return k % 2 === 0 ? 0.2 * v + 1.2 * bump : 0.3 * v + Math.abs(bump);
    });
    const flow = flowpp({
      features: 2,
      transforms: 3,
      hidden: [32],
      permutation: 'swap',
      actNorm: false,
    });
    const before = (await evaluate(flow, rows)).logProb;
    expect(Math.abs(before + Math.log(2 * Math.PI) + 0.95)).toBeLessThan(0.6);
    const options = { optimizer: adam({ lr: 5e-3 }), epochs: 15, batchSize: 100, seed: 1 };
    const { compiled } = await fit(flow, rows, options);
    expect(compiled).toBe(true);
    // The truth: −log 3 + the entropy of a bump, −log(2πe·0.06).
    const truth = -Math.log(3) - Math.log(2 * Math.PI * Math.E * 0.06);
    const after = (await evaluate(flow, rows)).logProb;
    expect(after).toBeGreaterThan(truth - 0.25);
    expect(after).toBeLessThan(truth + 0.1);
    const drawn = flow.sample(500, { seed: 1 });
    expect((await evaluate(flow, drawn)).logProb).toBeGreaterThan(truth - 0.5);
    for (const part of [stream, flow, drawn]) part.dispose();
  });
});

describe('flowppImage', () => {
  const image = { height: 4, width: 4, channels: 2 };
  const options = { image, transforms: 2, hidden: 4, blocks: 1, components: 3, seed: 2 };

  it('scores, samples, trains by recorded steps and is saved', async () => {
    const flow = flowppImage({ ...options, dequantization: { levels: 8 }, contextFeatures: 1 });
    const stream = new RandomStream(3);
    const bytes = Uint8Array.from(stream.uniformArray(64 * 32), (u) => Math.floor(8 * u * u));
    const context = Float32Array.from({ length: 64 }, (_, k) => k % 2);
    const before = await evaluate(flow, bytes, { context });
    const training = { context, epochs: 12, batchSize: 16, optimizer: adam({ lr: 5e-3 }), seed: 1 };
    expect((await fit(flow, bytes, training)).compiled).toBe(true);
    const after = await evaluate(flow, bytes, { context });
    expect(after.bitsPerDim).toBeLessThan(before.bitsPerDim - 0.05);
    const samples = flow.sample(9, { context: [[1]], seed: 4 }).toArray() as number[];
    expect(samples.every((v) => Number.isInteger(v) && v >= 0 && v < 8)).toBe(true);
    const x = tensor(
      Float32Array.from(bytes.subarray(0, 64), (v) => v + 0.5),
      { shape: [2, 32] },
    );
    const { y } = flow.forward(x, [[0], [1]]);
    const back = flow.inverse(y, [[0], [1]]);
    expect(unsolvedRows(back.solve as NonNullable<typeof back.solve>)).toBe(0);
    expectClose(back.x.dataSync(), x.dataSync(), 2 ** 29 * 1e4, 'x', 8);
    const built = build(flow.config()) as Flow;
    expect(built.parameters().length).toBe(flow.parameters().length);
    for (const part of [flow, stream, built]) part.dispose();
  });

  it('has the parts that the paper has for CIFAR-10: 4 checkerboards, 2 halves, 3 checkerboards', () => {
    const flow = flowppImage({ ...options, transforms: 4 });
    const splits = [...flow.bijection.modules()].flatMap(([, module]) =>
      'split' in module ? [(module.split as { kind: string }).kind] : [],
    );
    const times = (count: number, kind: string) => new Array(count).fill(kind);
    expect(splits).toEqual([
      ...times(4, 'checkerboard'),
      ...times(2, 'columns'),
      ...times(3, 'checkerboard'),
    ]);
    expect(() => flowppImage({ image: { ...image, height: 3 } })).toThrow(/multiples of 2/);
    flow.dispose();
  });
});

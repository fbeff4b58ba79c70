/** Launches of what modules derive from their parameters: one for all modules of a model, and one for the gradients. */
import { beforeAll, describe, expect, it } from 'vitest';
import { glow } from '../../lib/flows';
import { native } from '../../lib/native';
import { type LuTriangles, luComposeAll, luInverseAll, scaleWeights } from '../../lib/ops';
import { luComposeGrads } from '../../lib/ops/luCompose';
import { allowTf32, onDevice } from '../../lib/tensor/device';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { adam, fit } from '../../lib/train';
import { fixture } from '../reference/close';
import { emulatedPlugin, isEmulated } from './emulated';

beforeAll(() => void emulatedPlugin(), 900_000);

const draw = fixture(3);
const tensor = (...shape: number[]) =>
  tensorOfArray(
    Float32Array.from(
      draw(
        shape.reduce((size, n) => size * n, 1),
        0.2,
      ),
    ),
    shape,
  );

/** Launches of `body`, between two readings of `settle`, which wait for the device. */
function launchesOf(settle: Tensor, body: () => unknown): number {
  settle.dataSync();
  native.cudaSet('clearCounters', 1);
  body();
  settle.dataSync();
  return native.cudaGet('launches');
}

const triangles = (n: number): LuTriangles => ({
  factors: tensor(n, n),
  logScale: tensor(n),
  sign: tensorOfArray(new Float32Array(n).fill(-1), [n]),
  rows: tensorOfArray(
    Int32Array.from({ length: n }, (_, i) => (i + 1) % n),
    [n],
  ),
});

describe.runIf(isEmulated)('launches', () => {
  it('of matrices: one for all up to 64 channels, those of cuBLAS for larger ones', () => {
    onDevice('cuda', () =>
      scope(() => {
        const settle = tensor(1);
        const levels = [12, 24, 48].flatMap((n) => Array.from({ length: 4 }, () => triangles(n)));
        const counts = (all: readonly LuTriangles[]) => {
          const gradients = all.map((one) => ({
            triangles: one,
            dWeight: tensor(...one.factors.shape),
            dLogAbsDet: null,
          }));
          return {
            forward: launchesOf(settle, () => luComposeAll(all)),
            backward: launchesOf(settle, () => luComposeGrads('test', gradients)),
          };
        };
        expect(counts(levels)).toEqual({ forward: 1, backward: 1 });
        expect(launchesOf(settle, () => luInverseAll(levels))).toBe(1);
        // The triangles and a product; the triangles, two products, and what is kept of them.
        expect(counts([...levels, triangles(65)])).toEqual({ forward: 3, backward: 5 });
        // 4 KB of arguments hold 50 matrices, and 38 with their gradients.
        const many = Array.from({ length: 51 }, () => triangles(2));
        expect(counts(many)).toEqual({ forward: 2, backward: 2 });
      }),
    );
  });

  it('of a large matrix in full precision where TF32 is allowed, which stays so', () => {
    onDevice('cuda', () =>
      scope(() => {
        allowTf32(true);
        luComposeAll([triangles(65)]);
        expect(native.cudaGet('tf32')).toBe(1);
        allowTf32(false);
      }),
    );
  });

  it('of scaled weights: one for all layers', () => {
    onDevice('cuda', () =>
      scope(() => {
        const settle = tensor(1);
        const layers = Array.from({ length: 30 }, (_, k) => ({
          weight: tensor(4 + k, 3),
          bias: tensor(4 + k),
          logScale: tensor(4 + k),
          gain: k % 2 ? tensor(4 + k) : null,
        }));
        expect(launchesOf(settle, () => scaleWeights(layers, 3))).toBe(1);
      }),
    );
  });

  it('of a step of a Glow of three scales of four transforms, and of its samples', async () => {
    const image = { height: 8, width: 8, channels: 1 };
    const flow = glow({ image, scales: 3, transforms: 4, hidden: 4, preprocessing: null, seed: 1 });
    flow.to('cuda');
    native.cudaSet('clearCounters', 1);
    const rows = { data: fixture(5)(2 * 64), rows: 2, cols: 64 };
    await fit(flow, rows, { batchSize: 2, steps: 2, optimizer: adam({ lr: 1e-3 }) });
    // Some 840 where each layer makes its own. It may become less.
    expect(native.cudaGet('captured')).toBeLessThanOrEqual(312);
    const settle = onDevice('cuda', () => tensor(1));
    expect(launchesOf(settle, () => flow.sample(2, { seed: 1 }).dispose())).toBeLessThanOrEqual(
      110,
    );
    settle.dispose();
    flow.dispose();
  });
});

/** Reads and writes that nobody waits for: the event loop goes on while the GPU works, and pinned memory is used again only when it was read. */
import { beforeAll, describe, expect, it } from 'vitest';
import { isFlowError } from '../../lib/errors';
import { maf } from '../../lib/flows';
import { native } from '../../lib/native';
import { mul, RandomStream, sum } from '../../lib/ops';
import { onDevice } from '../../lib/tensor/device';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { adam, fit } from '../../lib/train';
import { fixture } from '../reference/close';
import { emulatedPlugin, isEmulated } from './emulated';

beforeAll(() => void emulatedPlugin(), 900_000);

/** Work for some hundred milliseconds of the emulation. */
function work(stream: RandomStream): Tensor {
  let x = stream.normal([200, 200]);
  for (let k = 0; k < 10; k++) x = mul(x, x);
  return x;
}

describe('data()', () => {
  it('gives the event loop its turns while the GPU works', async () => {
    await onDevice('cuda', async () => {
      const stream = new RandomStream(1);
      const x = work(stream);
      native.cudaSet('clearCounters', 1);
      let done = false;
      const reading = x.data().then((values) => {
        done = true;
        return values;
      });
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (isEmulated) expect(done).toBe(false);
      const values = await reading;
      // The main thread has waited for nothing.
      if (isEmulated) expect(native.cudaGet('waits')).toBe(0);
      expect(values).toEqual(x.dataSync());
      for (const each of [x, stream]) each.dispose();
    });
  });

  it('reads what was there when it was called, of a tensor that is overwritten and let go', async () => {
    await onDevice('cuda', async () => {
      const x = tensorOfArray(Float64Array.of(1, 2, 3), [3]);
      const reading = x.data();
      x.write(Float64Array.of(4, 5, 6));
      const later = x.data();
      x.dispose();
      const other = tensorOfArray(Float64Array.of(7, 8, 9), [3]);
      expect([...(await reading)]).toEqual([1, 2, 3]);
      expect([...(await later)]).toEqual([4, 5, 6]);
      other.dispose();
    });
  });

  it('reads a view row by row, nothing, and many at once', async () => {
    await onDevice('cuda', async () => {
      const x = tensorOfArray(
        Float32Array.from({ length: 12 }, (_, i) => i),
        [3, 4],
      );
      const view = x.view([3, 2], 1, 4);
      expect([...(await view.data())]).toEqual([1, 2, 5, 6, 9, 10]);
      const none = tensorOfArray(new Float32Array(0), [0, 4]);
      expect(await none.data()).toHaveLength(0);
      const all = await Promise.all(Array.from({ length: 50 }, () => x.data()));
      for (const values of all) expect(values).toEqual(x.dataSync());
      for (const each of [x, view, none]) each.dispose();
    });
  });

  it.runIf(isEmulated)('rejects with the sentence of a GPU that fails', async () => {
    await onDevice('cuda', async () => {
      const x = tensorOfArray(Float64Array.of(1), [1]);
      native.cudaSet('fault', 1);
      const failed = await x.data().catch((error: unknown) => error);
      native.cudaSet('clearError', 1);
      expect(isFlowError(failed, 'NATIVE')).toBe(true);
      expect((failed as Error).message).toMatch(/^\[cuda\]/);
      x.dispose();
    });
  });
});

it('more writes than the pinned ring has slots, and one larger than it, arrive as they were', () => {
  onDevice('cuda', () =>
    scope(() => {
      const counts = Array.from({ length: 100 }, (_, k) => Float64Array.of(k, -k));
      if (isEmulated) native.cudaSet('clearCounters', 1);
      const tensors = counts.map((values) => tensorOfArray(values, [2]));
      // Only for the slots that are used again: two writes a tensor, where new memory is poisoned first.
      if (isEmulated) expect(native.cudaGet('waits')).toBeLessThanOrEqual(2 * 100 - 32);
      tensors.forEach((tensor, k) => {
        expect([...tensor.dataSync()]).toEqual([...(counts[k] as Float64Array)]);
      });
      const many = Float64Array.from({ length: (9 << 20) / 8 + 3 }, (_, i) => i);
      const large = tensorOfArray(many, [many.length]);
      many.fill(0);
      expect(sum(large).item()).toBe((many.length * (many.length - 1)) / 2);
    }),
  );
});

it.runIf(isEmulated)(
  'a training waits for its steps in a worker, and uploads without a wait',
  async () => {
    const flow = maf({ features: 6, transforms: 2, hidden: [16], seed: 1 }).to('cuda');
    const rows = { data: fixture(5)(160 * 6), rows: 160, cols: 6 };
    const waits: number[] = [];
    await fit(flow, rows, {
      ...{ batchSize: 20, steps: 8, optimizer: adam({ lr: 1e-3 }), ema: 0.9 },
      onStep: () => {
        waits.push(native.cudaGet('waits'));
      },
    });
    // From the first replay on.
    expect(waits.slice(2)).toEqual(waits.slice(2).map(() => waits[1]));
    flow.dispose();
  },
);

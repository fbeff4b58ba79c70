/**
 * Draws of autoregressive models on both devices: the same random numbers, and caches, queues and roots in kernels that stay on the
 * device from the first number to the last. Levels are the same; numbers are within rounding, which grows from one to the next.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { epsilonOf, type FloatDType } from '../../lib/dtype';
import { maf } from '../../lib/flows';
import { WaveNet } from '../../lib/models';
import { onDevice } from '../../lib/tensor/device';
import { scope } from '../../lib/tensor/scope';
import type { Tensor } from '../../lib/tensor/tensor';
import { orders, takeTurns } from '../contract/opOnGpu';
import { contextOf, pixelCases } from '../models/pixelCases';
import { emulatedPlugin } from './emulated';

beforeAll(() => void emulatedPlugin(), 900_000);

const types = ['float32', 'float64'] as const satisfies readonly FloatDType[];
const numbers = (tensor: Tensor) => Array.from(tensor.dataSync(), Number);

describe.each(pixelCases.map((test, k) => [test.name, test, k] as const))(
  'pixels: %s',
  (_, test, k) => {
    // Each of them has its own order of the threads. Nine images go in groups on the four multiprocessors of the emulation.
    it.each(types)('%s', (dtype) => {
      takeTurns(orders[k % orders.length] as 'random');
      scope(() => {
        const image = { height: 3, width: 3, channels: test.channels };
        using model = test.build(image, dtype);
        const rows = dtype === 'float32' ? 9 : 2;
        const draw = () =>
          numbers(model.sample(rows, { seed: 6, context: contextOf(model, rows) }));
        const wanted = draw();
        model.to('cuda');
        const found = onDevice('cuda', () => scope(draw));
        expect(new Set(wanted).size).toBeGreaterThan(1);
        expect(found).toEqual(wanted);
      });
    });
  },
);

describe('WaveNet', () => {
  it.each(types)('%s', (dtype) => {
    scope(() => {
      using net = new WaveNet({
        ...{ length: 10, layers: 3, stacks: 1, hidden: 6, seed: 3, dtype },
        likelihood: { kind: 'categorical', levels: 9 },
      });
      const wanted = numbers(net.sample(10, { seed: 5 }));
      net.to('cuda');
      const found = onDevice('cuda', () => scope(() => numbers(net.sample(10, { seed: 5 }))));
      expect(new Set(wanted).size).toBeGreaterThan(1);
      expect(found).toEqual(wanted);
    });
  });
});

describe('MAF', () => {
  it.each(types)('%s', (dtype) => {
    scope(() => {
      using flow = maf({ features: 7, transforms: 2, hidden: [20, 20], seed: 4, dtype });
      const wanted = numbers(flow.sample(40, { seed: 5 }));
      flow.to('cuda');
      const found = onDevice('cuda', () => scope(() => numbers(flow.sample(40, { seed: 5 }))));
      // Two networks, and each dimension on those before it.
      const most = 400 * epsilonOf(dtype);
      for (const [i, value] of found.entries())
        expect(Math.abs(value - (wanted[i] as number))).toBeLessThan(most);
    });
  });
});

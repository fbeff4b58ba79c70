import { describe, expect, it } from 'vitest';
import { memory } from '../../lib/runtime';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { fit } from '../../lib/train';
import { MovingAverage } from '../../lib/train/ema';
import { expectClose, fixture } from '../reference/close';
import { emaUpdate } from '../reference/optim';
import { curvedRows, smallMaf } from './support';

describe('moving average of the weights', () => {
  it('follows the reference, with a decay that rises to the one asked for', () => {
    const before = memory().buffers;
    const draw = fixture(3);
    const first = draw(40);
    const tensor = tensorOfArray(first, [40]);
    const average = new MovingAverage([{ name: 'p', tensor, extents: null }], 0.5);
    const expected = first.slice();
    for (let step = 0; step < 12; step++) {
      const values = draw(40);
      tensor.write(values);
      average.prepare(step);
      average.update();
      emaUpdate(expected, values, Math.min(0.5, (1 + step) / (10 + step)));
      expectClose(average.state.get('p')?.dataSync() ?? [], expected, 16, `step ${step}`);
    }
    const own = [...tensor.dataSync()];
    average.enter();
    expectClose(tensor.dataSync(), expected, 16, 'entered');
    average.leave();
    expect([...tensor.dataSync()]).toEqual(own);
    average.dispose();
    tensor.dispose();
    expect(memory().buffers).toBe(before);
  });

  it('is what the model has after training', async () => {
    const seen: number[][] = [];
    const flow = smallMaf({ dtype: 'float64' });
    const bias = flow.namedParameters().get('bijection.0.made.output.bias');
    const values = () => [...(bias?.dataSync() ?? [])];
    const expected = Float64Array.from(values());
    await fit(flow, curvedRows(200, 1), {
      epochs: 3,
      ema: 0.95,
      onStep: () => void seen.push(values()),
    });
    seen.forEach((now, step) => {
      emaUpdate(expected, now, Math.min(0.95, (1 + step) / (10 + step)));
    });
    expect(seen).toHaveLength(6);
    expectClose(values(), expected, 32, 'average');
    flow.dispose();
  });
});

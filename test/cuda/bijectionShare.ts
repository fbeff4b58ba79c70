/**
 * Every row of the bijection contract on both devices, in several files as opShare.ts: y, x, the log-determinants and all gradients are those of the CPU, which
 * differences and slogdet have confirmed (test/bijections/contract.test.ts; FLOW_TEST_DEVICE=cuda runs that one on a GPU as it stands).
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { epsilonOf, type FloatDType } from '../../lib/dtype';
import { add, mul, sum } from '../../lib/ops';
import { memory } from '../../lib/runtime';
import { type Device, onDevice } from '../../lib/tensor/device';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { type BijectionCase, bijectionCases } from '../bijections/cases';
import { orders, takeTurns } from '../contract/opOnGpu';
import { eps64, expectClose, fixture } from '../reference/close';
import { emulatedPlugin } from './emulated';

/** Files bijections0.test.ts, …; completeness.test.ts counts them. */
export const shares = 2;

const rows = 33;

/** y, logDet, x, logDet, and the gradients of both directions by the input, the parameters and the context. */
function everything(row: BijectionCase, device: Device, dtype: FloatDType): number[][] {
  const bijection = row.make(dtype).train(row.training ?? false);
  if (device === 'cuda') {
    bijection.to('cuda');
    for (const tensor of bijection.parameters()) expect(tensor.device).toBe('cuda');
  }
  const draw = fixture(11);
  const values = draw(rows * row.features).map((v) => (row.domain === 'unit' ? 0.5 + 0.22 * v : v));
  const conditions = fixture(77)(rows * (row.contextFeatures ?? 0));
  const weights = draw(rows * row.features);
  const float = (array: Float64Array) => (dtype === 'float32' ? Float32Array.from(array) : array);
  const found = onDevice(device, () =>
    scope(() => {
      const table = (array: Float64Array, columns: number) =>
        tensorOfArray(float(array), [rows, columns]);
      const context = row.contextFeatures ? table(conditions, row.contextFeatures) : null;
      const targets = [...bijection.parameters(), ...(context ? [context] : [])];
      const loss = (out: Tensor, logDet: Tensor) =>
        add(
          sum(mul(out, table(weights, row.features)), undefined, { dtype: 'float64' }),
          sum(logDet),
        );
      const results: number[][] = [];
      const numbers = (tensor: Tensor) => {
        expect(tensor.device).toBe(device);
        const array = Array.from(tensor.dataSync(), Number);
        results.push(array);
        return array;
      };
      const x = table(values, row.features);
      let y: number[] = [];
      const forward = valueAndGradient(() => {
        const step = bijection.forward(x, context);
        y = numbers(step.y);
        numbers(step.logDet);
        return loss(step.y, step.logDet);
      }, [x, ...targets]);
      const back = table(Float64Array.from(y), row.features);
      const inverse = valueAndGradient(() => {
        const step = bijection.inverse(back, context);
        numbers(step.x);
        numbers(step.logDet);
        return loss(step.x, step.logDet);
      }, [back, ...targets]);
      for (const gradient of [...forward.gradients, ...inverse.gradients])
        if (gradient) numbers(gradient);
      return results;
    }),
  );
  bijection.dispose();
  return found;
}

export function testBijectionsOnGpu(share: number): void {
  beforeAll(() => void emulatedPlugin(), 900_000);
  bijectionCases.forEach((row, k) => {
    if (k % shares === share) describe(row.name, () => testOnGpu(row));
  });
}

function testOnGpu(row: BijectionCase): void {
  it.each(['float32', 'float64'] as const)('%s', (dtype) => {
    const before = memory().buffers;
    const wanted = everything(row, 'cpu', dtype);
    const [found = [], ...others] = orders.map((order) => {
      onDevice('cuda', () => takeTurns(order));
      return everything(row, 'cuda', dtype);
    });
    expect(memory().buffers).toBe(before);
    expect(found.length).toBe(wanted.length);
    // As in the contract: networks of up to 20 terms and slopes of e⁵ between the two, here forth, back and through both gradients.
    const units = (4000 * epsilonOf(dtype)) / eps64;
    for (const [i, array] of found.entries()) {
      const own = wanted[i] as number[];
      // The gradient of a single number is a sum over all rows, of terms of size 1, that may cancel.
      const scale = own.length === 1 ? Math.max(1, Math.abs(own[0] as number)) : undefined;
      expectClose(array, own, units, `result ${i}`, scale);
    }
    // Whichever order the threads take, the bits are the same.
    for (const other of others) expect(other).toEqual(found);
  });
}

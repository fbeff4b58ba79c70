/** Where there is no GPU to be used: reasons in words, errors with a code, and everything else goes on. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowError } from '../../lib/errors';
import { maf } from '../../lib/flows';
import { backends } from '../../lib/runtime';
import { allowTf32, currentDevice, onDevice, setDevice } from '../../lib/tensor/device';
import { tensorOfArray } from '../../lib/tensor/tensor';

const nowhere = join('no', 'such', 'place', 'flow_kernels_cuda.so');
beforeAll(() => {
  process.env['FLOW_KERNELS_CUDA'] = nowhere;
});

function thrownBy(body: () => unknown): FlowError {
  try {
    body();
  } catch (error) {
    expect(error).toBeInstanceOf(FlowError);
    return error as FlowError;
  }
  throw new Error('nothing was thrown');
}

describe('without a plug-in', () => {
  it('backends() has the reason and where it was looked for', () => {
    const [cpu, cuda] = backends();
    expect(cpu?.available).toBe(true);
    expect(cuda).toMatchObject({ name: 'cuda', available: false });
    expect(cuda?.description).toMatch(/flow_kernels_cuda\.so is not in no.such.place: build it/);
  });

  it('every way to a GPU throws UNSUPPORTED with the reason and the remedy', () => {
    const flow = maf({ features: 2, hidden: [4] });
    const x = tensorOfArray(Float32Array.of(1, 2), [2]);
    const ways = [
      () => setDevice('cuda'),
      () => onDevice('cuda', () => 1),
      () => flow.to('cuda'),
      () => x.to('cuda'),
      () => allowTf32(true),
    ];
    for (const way of ways) {
      const error = thrownBy(way);
      expect(error.code).toBe('UNSUPPORTED');
      expect(error.message).toMatch(/^\[device\] cuda: expected a GPU, got none: .*backends\(\)/);
    }
    expect(currentDevice()).toBe('cpu');
    expect(flow.device).toBe('cpu');
    expect(flow.logProb([[1, 2]]).size).toBe(1);
    flow.dispose();
    x.dispose();
  });
});

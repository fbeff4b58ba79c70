/** The contract of the ops on the GPU, in several files as test/ops/share.ts. */
import { beforeAll } from 'vitest';
import { testOpOnGpu } from '../contract/opOnGpu';
import { contracts } from '../ops';
import { emulatedPlugin } from './emulated';

/** Files ops0.test.ts, ops1.test.ts, …; completeness.test.ts counts them. */
export const shares = 4;

export function testShareOnGpu(share: number): void {
  beforeAll(() => void emulatedPlugin(), 900_000);
  contracts.forEach((contract, k) => {
    if (k % shares === share) testOpOnGpu(contract);
  });
}

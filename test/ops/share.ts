/** The contract in several files: Vitest runs a file in a process, and so it takes as many cores. */
import { testOp } from '../contract/opContract';
import { contracts } from './index';

/** Files contract0.test.ts, contract1.test.ts, …; completeness.test.ts counts them. */
export const shares = 8;

export function testShare(share: number): void {
  contracts.forEach((contract, k) => {
    if (k % shares === share) testOp(contract);
  });
}

import { testOp } from '../contract/opContract';
import { contracts } from './index';

for (const contract of contracts) testOp(contract);

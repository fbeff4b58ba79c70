import { testBijectionsOnGpu } from './bijectionShare';

testBijectionsOnGpu(1);

import { testBijectionsOnGpu } from './bijectionShare';

testBijectionsOnGpu(0);

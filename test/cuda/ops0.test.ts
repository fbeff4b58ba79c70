import { testShareOnGpu } from './opShare';

testShareOnGpu(0);

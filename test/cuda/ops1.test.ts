import { testShareOnGpu } from './opShare';

testShareOnGpu(1);

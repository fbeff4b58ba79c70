import { testShareOnGpu } from './opShare';

testShareOnGpu(3);

import { testShareOnGpu } from './opShare';

testShareOnGpu(2);

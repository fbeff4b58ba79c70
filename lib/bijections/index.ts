export type { ActivationMemory } from './activations';
export * from './affine';
export * from './batchNorm';
export * from './bijection';
export * from './chain';
export * from './invert';
export * from './logit';
export * from './maskedAutoregressive';
export * from './permutation';

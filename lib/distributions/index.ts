/** Base distributions of flows. */

export * from './diagonalNormal';
export * from './distribution';
export * from './gaussianMixture';
export * from './resampled';
export * from './standard';
export * from './studentT';

export * from './diagonalNormal';
export * from './distribution';
export * from './gaussianMixture';
export * from './standard';

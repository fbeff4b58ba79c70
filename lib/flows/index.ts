export * from './autoregressive';
export * from './density';
export * from './flow';
export * from './inpaint';
export * from './latent';

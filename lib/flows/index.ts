export * from './autoregressive';
export * from './coupling';
export * from './density';
export * from './flow';
export * from './glow';
export * from './inpaint';
export * from './latent';
export * from './realnvpImage';

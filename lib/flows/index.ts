/** Flows, their recipes, and what is done with a flow: inpainting, walks in latent space. */

export * from './autoregressive';
export * from './blockNaf';
export * from './continuous';
export * from './coupling';
export * from './density';
export * from './finite';
export * from './flow';
export * from './flowpp';
export * from './glow';
export * from './inpaint';
export * from './latent';
export * from './monotone';
export * from './realnvpImage';
export * from './residual';
export * from './spline';
export * from './umnn';

export * from './bernoulliMade';
export * from './generative';
export * from './pixelCnn';
export * from './pixelLikelihood';
export * from './pixelModel';
export * from './pixelRnn';
export * from './vae';
export * from './wave';

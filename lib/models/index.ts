export * from './bernoulliMade';
export * from './generative';
export * from './vae';
export * from './waveNet';

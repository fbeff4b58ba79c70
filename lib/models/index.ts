export * from './bernoulliMade';
export * from './vae';
export * from './waveNet';

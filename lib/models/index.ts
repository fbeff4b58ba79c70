export * from './bernoulliMade';
export * from './vae';

export * from './bernoulliMade';
export * from './generative';
export * from './parallelWaveNet';
export * from './pixelCnn';
export * from './pixelLikelihood';
export * from './pixelModel';
export * from './pixelRnn';
export * from './vae';
export {
  type WaveConditioning,
  type WaveLikelihood,
  WaveNet,
  type WaveNetOptions,
  type WaveSampleOptions,
  type WaveSizes,
} from './waveNet';

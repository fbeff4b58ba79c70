export * from './bernoulliMade';
export * from './generative';
export * from './parallelWaveNet';
export * from './pixelCnn';
export * from './pixelModel';
export * from './pixelOutput';
export * from './pixelRnn';
export * from './vae';
export {
  type WaveConditioning,
  WaveNet,
  type WaveNetOptions,
  type WaveOutput,
  type WaveSampleOptions,
  type WaveSizes,
} from './waveNet';

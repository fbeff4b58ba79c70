export * from './bernoulliMade';
export * from './generative';
export * from './parallelWaveNet';
export * from './vae';
export {
  type WaveConditioning,
  WaveNet,
  type WaveNetOptions,
  type WaveOutput,
  type WaveSampleOptions,
  type WaveSizes,
} from './waveNet';

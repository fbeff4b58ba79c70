export type { WaveDistribution, WaveLikelihood } from './likelihood';
export * from './parallelWaveNet';
export type {
  SequenceOptions,
  WaveConditioning,
  WaveSampleOptions,
  WaveSizes,
} from './sequenceModel';
export * from './waveNet';

/** WaveNet and Parallel WaveNet. */

export type { WaveDistribution, WaveLikelihood } from './likelihood';
export * from './parallelWaveNet';
export type { SequenceOptions, WaveConditioning, WaveSampleOptions } from './sequenceModel';
export * from './waveNet';

/** What the files of test/goldens/data hold: `meta`, and `cases` of these types. */
import type {
  GoldenBatchNormCase,
  GoldenBernoulliCase,
  GoldenIafCase,
  GoldenMadeCase,
  GoldenMafCase,
  GoldenNeural,
} from './autoregressive';
import type { GoldenCouplingFlow, GoldenCouplingKernel, GoldenImageFlow } from './coupling';
import type {
  GoldenAmortized,
  GoldenContinuous,
  GoldenDense,
  GoldenInducedNorm,
  GoldenInvertibleConv,
  GoldenLinearMap,
  GoldenResidual,
  GoldenSolve,
  GoldenSpline,
} from './maps';
import type {
  GoldenDiscreteCase,
  GoldenDistributionCase,
  GoldenPixelsCase,
  GoldenVae,
  GoldenWaveCase,
} from './models';
import type { GoldenConvCase, GoldenConvNetCase } from './networks';
import type { GoldenOptimCase, GoldenTrainingCase } from './training';

export type * from './autoregressive';
export type * from './coupling';
export type * from './maps';
export type * from './models';
export type * from './networks';
export type * from './tensor';
export type * from './training';

/** What each file holds. */
export interface GoldenFiles {
  readonly batchNorm: GoldenBatchNormCase;
  readonly bernoulliMade: GoldenBernoulliCase;
  readonly continuous: GoldenContinuous;
  readonly conv2d: GoldenConvCase;
  readonly convNet: GoldenConvNetCase;
  readonly coupling: GoldenCouplingKernel | GoldenCouplingFlow;
  readonly discrete: GoldenDiscreteCase;
  readonly distributions: GoldenDistributionCase;
  readonly iafReverseKl: GoldenIafCase;
  readonly imageFlows: GoldenImageFlow;
  readonly inducedNorms: GoldenInducedNorm;
  readonly invertibleConvs: GoldenInvertibleConv;
  readonly linearMaps: GoldenSolve | GoldenDense | GoldenLinearMap;
  readonly made: GoldenMadeCase;
  readonly maf: GoldenMafCase;
  readonly neural: GoldenNeural;
  readonly optim: GoldenOptimCase;
  readonly pixels: GoldenPixelsCase;
  readonly residual: GoldenResidual;
  readonly splines: GoldenSpline | GoldenAmortized;
  readonly training: GoldenTrainingCase;
  readonly vae: GoldenVae;
  readonly waveNet: GoldenWaveCase;
}

/** Training: loops, losses, optimizers, schedules, evaluation. */

export { type DistillationOptions, distillation, momentLogDensity } from './distillation';
export { type EvaluateOptions, type Evaluation, evaluate } from './evaluate';
export { fit } from './fit';
export { type FitLossOptions, type FitLossResult, fitLoss, type LossRecord } from './fitLoss';
export { type FlowMatchingOptions, flowMatching } from './flowMatching';
export type { EpochRecord, StopReason } from './history';
export { type Batch, type Loss, negativeLogLikelihood } from './loss';
export {
  type AdamOptions,
  adam,
  adamW,
  type Optimizer,
  type OptimizerSpec,
  type SgdOptions,
  sgd,
} from './optimizer';
export type {
  CheckpointOptions,
  FitOptions,
  FitResult,
  LearningOptions,
  StepInfo,
} from './options';
export { fitReverseKl, type ReverseKlOptions } from './reverseKl';
export {
  constantRate,
  cosine,
  linearWarmup,
  type Position,
  plateau,
  type Schedule,
  type Span,
  stepDecay,
} from './schedule';
export { type SplitTable, trainValidationSplit } from './split';

/** Golden MADEs and what is made of them: MAF, IAF, Bernoulli MADE, increasing functions; batch norm. */
import type { MonotoneFamily } from '../../../lib/ops';
import type { ActivationName } from '../../reference/activations';
import type { BoundA } from '../../reference/maf';
import type { GoldenTensor, GoldenTensors } from './tensor';
import type { GoldenOptimizer } from './training';

/** A MADE: names of params are `hidden.0.weight`, `hidden.0.bias`, `output.weight`, `output.bias`, `context.weight`, `direct.weight`. */
export interface GoldenMade {
  readonly type: 'made';
  readonly features: number;
  readonly outputsPerFeature: number;
  readonly hidden: readonly number[];
  readonly contextFeatures: number;
  readonly direct: boolean;
  readonly activation: ActivationName;
  readonly inputDegrees: readonly number[];
  readonly hiddenDegrees: readonly (readonly number[])[];
  readonly masks: GoldenTensors;
  readonly params: GoldenTensors;
}

/** A batch-norm layer: params `logGamma`, `beta`. */
export interface GoldenBatchNorm {
  readonly type: 'batchNorm';
  readonly features: number;
  readonly eps: number;
  readonly params: GoldenTensors;
}

/** made.json */
export interface GoldenMadeCase {
  readonly name: string;
  readonly made: GoldenMade;
  readonly inputs: GoldenTensors;
  readonly outputs: GoldenTensors;
  readonly outputWeights: GoldenTensor;
  readonly loss: number;
  readonly gradients: GoldenTensors;
}

/** maf.json */
export interface GoldenMafCase {
  readonly name: string;
  readonly config: {
    readonly features: number;
    readonly transforms: number;
    readonly hidden: readonly number[];
    readonly contextFeatures: number;
    readonly activation: ActivationName;
    readonly boundA: BoundA;
    readonly batchNorm: boolean;
  };
  readonly layers: readonly (GoldenMade | GoldenBatchNorm)[];
  readonly inputs: GoldenTensors;
  readonly outputs: {
    readonly noise: GoldenTensor;
    readonly logDet: GoldenTensor;
    readonly logProb: GoldenTensor;
    readonly loss: number;
  };
  readonly gradients: { readonly inputs: GoldenTensors; readonly layers: readonly GoldenTensors[] };
  readonly evaluation?: {
    readonly statistics: readonly {
      readonly mean: GoldenTensor;
      readonly variance: GoldenTensor;
    }[];
    readonly logProb: GoldenTensor;
  };
  readonly training: {
    readonly optimizer: GoldenOptimizer;
    readonly batches: readonly GoldenTensors[];
    readonly losses: readonly number[];
    readonly layers: readonly GoldenTensors[];
  };
}

/** batchNorm.json */
export interface GoldenBatchNormCase {
  readonly name: string;
  readonly mode: 'training' | 'evaluation';
  readonly layer: GoldenBatchNorm;
  readonly inputs: { readonly x: GoldenTensor };
  readonly statistics: { readonly mean: GoldenTensor; readonly variance: GoldenTensor };
  readonly outputs: { readonly y: GoldenTensor; readonly logDet: GoldenTensor };
  readonly outputWeights: { readonly y: GoldenTensor; readonly logDet: GoldenTensor };
  readonly loss: number;
  readonly gradients: GoldenTensors;
}

/** iafReverseKl.json; the layers are in noise → data order. */
export interface GoldenIafCase {
  readonly name: string;
  readonly config: { readonly features: number; readonly boundA: BoundA };
  readonly layers: readonly GoldenMade[];
  readonly target: GoldenTensors;
  readonly inputs: GoldenTensors;
  readonly outputs: {
    readonly x: GoldenTensor;
    readonly logDet: GoldenTensor;
    readonly logQ: GoldenTensor;
    readonly logTarget: GoldenTensor;
    readonly loss: number;
  };
  readonly gradients: { readonly layers: readonly GoldenTensors[] };
}

/** bernoulliMade.json */
export interface GoldenBernoulliCase {
  readonly name: string;
  readonly made: GoldenMade;
  readonly inputs: { readonly x: GoldenTensor };
  readonly outputs: {
    readonly logits: GoldenTensor;
    readonly logProb: GoldenTensor;
    readonly loss: number;
  };
  readonly gradients: GoldenTensors;
}

/** neural.json: an autoregressive map of increasing functions, or a block autoregressive network. */
export interface GoldenNeural {
  readonly name: string;
  /** Missing: a block autoregressive network. */
  readonly family?: MonotoneFamily;
  readonly config: {
    readonly features: number;
    readonly hidden: readonly number[];
    readonly contextFeatures?: number;
  };
  readonly params: GoldenTensors;
  readonly inputs: GoldenTensors;
  readonly outputs: GoldenTensors;
  readonly gradients: Readonly<Record<'params' | 'inputs', GoldenTensors>>;
}

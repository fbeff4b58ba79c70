import type { Config } from '../../lib/nn';
import type {
  CouplingScale,
  MonotoneFamily,
  SplineOptions,
  TriangularSolveOptions,
} from '../../lib/ops';
import type { ImageShape } from '../../lib/shape';
import type { ActivationName } from './activations';
import type {
  GoldenBernoulliCase,
  GoldenDiscreteCase,
  GoldenPixelsCase,
  GoldenVae,
  GoldenWaveCase,
} from './goldenModels';
import type { BoundA } from './maf';

export type * from './goldenModels';

/** A tensor of a golden file, row-major; infinities are strings. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly data: readonly (number | string)[];
}

/** Named tensors. */
export type GoldenTensors = Readonly<Record<string, GoldenTensor>>;

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

/** Options of Adam. */
export interface GoldenOptimizer {
  readonly type: 'adam' | 'adamw';
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
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

/** optim.json */
export interface GoldenOptimCase {
  readonly name: string;
  readonly optimizer: GoldenOptimizer;
  readonly clipNorm: number | null;
  readonly initial: GoldenTensors;
  readonly gradients: readonly GoldenTensors[];
  readonly norms: readonly number[];
  readonly params: readonly GoldenTensors[];
}

/** distributions.json */
export interface GoldenDistributionCase {
  readonly name: string;
  readonly distribution:
    | 'standardNormal'
    | 'normal'
    | 'logistic'
    | 'uniform'
    | 'mixtureOfGaussians'
    | 'studentT'
    | 'resampled'
    | 'bernoulli';
  readonly inputs: { readonly x: GoldenTensor };
  readonly params: GoldenTensors;
  readonly outputs: { readonly logProb: GoldenTensor };
  readonly outputWeights: GoldenTensor;
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

/** conv2d.json */
export interface GoldenConvCase {
  readonly name: string;
  readonly geometry: Readonly<Record<string, unknown>> & { readonly taps: number[] | null };
  readonly activation: string;
  /** x, weight, bias and perhaps addend. */
  readonly inputs: GoldenTensors;
  readonly outputs: { readonly y: GoldenTensor };
  readonly outputWeights: GoldenTensor;
  readonly gradients: GoldenTensors;
}

/** convNet.json */
export interface GoldenConvNetCase {
  readonly name: string;
  /** As the registry of modules takes it. */
  readonly config: { readonly kind: string };
  readonly training: boolean;
  readonly params: GoldenTensors;
  readonly state: GoldenTensors;
  /** x and perhaps context. */
  readonly inputs: GoldenTensors;
  readonly outputs: { readonly y: GoldenTensor };
  readonly outputWeights: GoldenTensor;
  readonly gradients: GoldenTensors;
}

/** coupling.json: the op. */
export interface GoldenCouplingKernel {
  readonly name: string;
  readonly type: 'kernel';
  readonly inverse: boolean;
  readonly options: {
    readonly scale: CouplingScale;
    readonly positions: number;
    readonly start: number;
    readonly checkerboard: { readonly width: number; readonly parity: 0 | 1 } | null;
  };
  readonly inputs: GoldenTensors;
  readonly outputs: { readonly y: GoldenTensor; readonly logDet: GoldenTensor };
  readonly outputWeights: { readonly y: GoldenTensor; readonly logDet: GoldenTensor };
  readonly gradients: GoldenTensors;
}

/** coupling.json: RealNVP and NICE; params are named as the parameters of the library's chain. */
export interface GoldenCouplingFlow {
  readonly name: string;
  readonly type: 'flow';
  readonly config: {
    readonly recipe: 'realnvp' | 'nice';
    readonly features: number;
    readonly transforms: number;
    readonly hidden: readonly number[];
    readonly contextFeatures: number;
    readonly scale: CouplingScale['kind'];
    readonly bound: number;
  };
  readonly params: GoldenTensors;
  readonly inputs: GoldenTensors;
  readonly outputs: {
    readonly noise: GoldenTensor;
    readonly logDet: GoldenTensor;
    readonly logProb: GoldenTensor;
    readonly loss: number;
  };
  readonly gradients: { readonly inputs: GoldenTensors; readonly params: GoldenTensors };
  readonly training: {
    readonly optimizer: GoldenOptimizer;
    readonly batches: readonly GoldenTensors[];
    readonly losses: readonly number[];
    readonly params: GoldenTensors;
  };
}

/** imageFlows.json: params and state are named as those of the library's flow. */
export interface GoldenImageFlow
  extends Pick<GoldenCouplingFlow, 'params' | 'inputs' | 'outputs' | 'gradients' | 'training'> {
  readonly name: string;
  readonly recipe: 'glow' | 'realnvp';
  /** Options of the recipe. */
  readonly config: Readonly<Record<string, unknown>> & { readonly image: ImageShape };
  readonly state: GoldenTensors;
  /** With the running statistics of batch norm; outputs, gradients and training are with those of the batch. */
  readonly use: Pick<GoldenCouplingFlow['outputs'], 'noise' | 'logDet' | 'logProb'>;
}

/** linearMaps.json: a triangular solve. */
export interface GoldenSolve {
  readonly name: string;
  readonly type: 'solve';
  readonly options: TriangularSolveOptions;
  readonly inputs: GoldenTensors;
  readonly outputs: { readonly x: GoldenTensor };
  readonly outputWeights: GoldenTensor;
  readonly gradients: GoldenTensors;
}

interface GoldenMap {
  readonly name: string;
  /** x and params, a row a sample. */
  readonly inputs: GoldenTensors;
  readonly outputs: GoldenTensors;
  readonly outputWeights: GoldenTensors;
  readonly gradients: GoldenTensors;
}

/** splines.json: a spline of each element. */
export interface GoldenSpline extends GoldenMap {
  readonly type: 'spline';
  readonly options: SplineOptions;
}

/** splines.json: a planar, radial or Sylvester map whose numbers are a row a sample. */
export interface GoldenAmortized extends GoldenMap {
  readonly type: 'amortized';
  readonly config: Config;
}

/** linearMaps.json: determinant and equations of a square matrix. */
export interface GoldenDense {
  readonly name: string;
  readonly type: 'dense';
  readonly logDetWeight: number;
  readonly inputs: GoldenTensors;
  readonly outputs: GoldenTensors;
  readonly outputWeights: GoldenTensor;
  readonly gradients: GoldenTensors;
}

/** linearMaps.json: a bijection; params are named as the library's. */
export interface GoldenLinearMap {
  readonly name: string;
  readonly type: 'map';
  readonly kind: 'lu' | 'lower' | 'upper' | 'qr' | 'orthogonal' | 'dense';
  readonly channels: number;
  readonly positions: number;
  readonly reflections: number;
  readonly sign: readonly number[];
  readonly rows: readonly number[];
  readonly params: GoldenTensors;
  readonly inputs: GoldenTensors;
  readonly outputs: GoldenTensors;
  readonly outputWeights: GoldenTensors;
  readonly gradients: GoldenTensors;
  readonly inverse: {
    readonly inputs: GoldenTensors;
    readonly outputs: GoldenTensors;
    readonly gradients: GoldenTensors;
  };
  readonly training: {
    readonly lr: number;
    readonly batches: readonly GoldenTensor[];
    readonly losses: readonly number[];
    readonly params: GoldenTensors;
  };
}

/** A residual block: test/goldens/residual.py. */
export interface GoldenInducedNorm {
  readonly name: string;
  readonly sizes: {
    readonly inputs: number;
    readonly outputs: number;
    readonly kernel: number;
    readonly image?: readonly [number, number];
  };
  /** p, q */
  readonly orders: readonly (number | 'Infinity')[];
  readonly weight: GoldenTensor;
  readonly norm: GoldenTensor;
  readonly gradient: GoldenTensor;
}

export interface GoldenResidual {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly params: GoldenTensors;
  readonly x: GoldenTensor;
  readonly probes: GoldenTensor;
  readonly terms: number;
  readonly norms: GoldenTensor;
  readonly y: GoldenTensor;
  readonly logDet: GoldenTensor;
  readonly series: GoldenTensor;
  readonly weighted: GoldenTensor;
  readonly gradients: Readonly<Record<'exact' | 'series' | 'neumann', GoldenTensors>>;
}

/** A continuous flow: test/goldens/continuous.py. */
export interface GoldenContinuous {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly steps: number;
  readonly params: GoldenTensors;
  readonly x: GoldenTensor;
  /** Of context. */
  readonly rows?: GoldenTensor;
  readonly weights: GoldenTensor;
  readonly logDetWeights: GoldenTensor;
  readonly y: GoldenTensor;
  readonly logDet: GoldenTensor;
  readonly direct: GoldenTensors;
  readonly adjoint: GoldenTensors;
  readonly solution: { readonly y: GoldenTensor; readonly logDet: GoldenTensor };
}

/** An autoregressive map of increasing functions, or a block autoregressive network: test/goldens/neural.py. */
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

/** An autoregressive, emerging or periodic convolution: test/goldens/invertibleConvs.py. */
export interface GoldenInvertibleConv {
  readonly name: string;
  readonly type: 'autoregressive' | 'periodic';
  readonly image: { readonly height: number; readonly width: number; readonly channels: number };
  readonly parts: readonly [
    {
      readonly kernel: number;
      readonly rotation?: 0 | 1 | 2 | 3;
      readonly lower?: boolean;
      readonly bias: boolean;
    },
    ...unknown[],
  ];
  readonly params: GoldenTensors;
  readonly inputs: GoldenTensors;
  readonly outputs: GoldenTensors;
  readonly outputWeights: GoldenTensor;
  readonly logDetWeights: GoldenTensor;
  readonly gradients: Readonly<Record<'params' | 'inputs', GoldenTensors>>;
}

/** What each file holds. */
export interface GoldenFiles {
  readonly neural: GoldenNeural;
  readonly residual: GoldenResidual;
  readonly inducedNorms: GoldenInducedNorm;
  readonly continuous: GoldenContinuous;
  readonly linearMaps: GoldenSolve | GoldenDense | GoldenLinearMap;
  imageFlows: GoldenImageFlow;
  readonly coupling: GoldenCouplingKernel | GoldenCouplingFlow;
  made: GoldenMadeCase;
  maf: GoldenMafCase;
  batchNorm: GoldenBatchNormCase;
  optim: GoldenOptimCase;
  distributions: GoldenDistributionCase;
  bernoulliMade: GoldenBernoulliCase;
  waveNet: GoldenWaveCase;
  readonly discrete: GoldenDiscreteCase;
  readonly pixels: GoldenPixelsCase;
  iafReverseKl: GoldenIafCase;
  conv2d: GoldenConvCase;
  convNet: GoldenConvNetCase;
  vae: GoldenVae;
  readonly splines: GoldenSpline | GoldenAmortized;
  readonly invertibleConvs: GoldenInvertibleConv;
}

/** Golden bijections: linear maps, splines, maps whose numbers are a row a sample, residual, continuous, convolutions. */
import type { Config } from '../../../lib/nn';
import type { SplineOptions, TriangularSolveOptions } from '../../../lib/ops';
import type { GoldenTensor, GoldenTensors } from './tensor';

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

/** inducedNorms.json: the norm of a layer between two vector norms. */
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

/** residual.json: a residual block. */
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

/** continuous.json: a continuous flow. */
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

/** invertibleConvs.json: an autoregressive, emerging or periodic convolution. */
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

/** Golden couplings and the flows that are made of them. */
import type { CouplingScale } from '../../../lib/ops';
import type { ImageShape } from '../../../lib/shape';
import type { GoldenTensor, GoldenTensors } from './tensor';
import type { GoldenOptimizer } from './training';

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

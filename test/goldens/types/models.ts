/** Golden densities: distributions, likelihoods of integers, pixels, sound, autoencoders. */
import type { GoldenMade } from './autoregressive';
import type { GoldenTensor, GoldenTensors } from './tensor';

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

/** discrete.json */
export interface GoldenDiscreteCase {
  readonly name: string;
  readonly kind: 'categorical' | 'mixture';
  readonly positions: number;
  readonly levels: number;
  readonly x: GoldenTensor;
  readonly inputs: { readonly params: GoldenTensor };
  readonly logProb: GoldenTensor;
  readonly outputWeights: GoldenTensor;
  readonly gradients: { readonly params: GoldenTensor };
}

/** pixels.json */
export interface GoldenPixelsCase {
  readonly name: string;
  readonly network: 'plain' | 'gated' | 'row' | 'diagonal';
  readonly image: readonly [height: number, width: number, channels: number];
  readonly levels: number;
  readonly layers: number;
  readonly hidden: number;
  readonly x: GoldenTensor;
  readonly context: GoldenTensor | null;
  readonly params: GoldenTensors;
  readonly logits: GoldenTensor;
  readonly logProb: GoldenTensor;
  readonly outputWeights: GoldenTensor;
  readonly gradients: GoldenTensors;
}

/** waveNet.json */
export interface GoldenWaveCase {
  readonly name: string;
  readonly inputs: GoldenTensors;
  readonly params: GoldenTensors;
  /** Of the student. */
  readonly teacher?: GoldenTensors;
  readonly outputs: {
    readonly x?: GoldenTensor;
    readonly logProb: GoldenTensor;
    readonly divergence?: number;
    readonly loss: number;
  };
  readonly gradients: GoldenTensors;
}

/** The networks of a VAE. */
interface GoldenVaeModel {
  readonly encoder: GoldenTensors;
  readonly decoder: GoldenTensors;
}

/** vae.json */
export interface GoldenVae {
  readonly name: string;
  readonly config: {
    readonly features: number;
    readonly latents: number;
    readonly units: number;
    readonly likelihood: 'bernoulli' | 'normal';
    readonly transforms: number;
    readonly contextFeatures: number;
    readonly priorTransforms: number;
    readonly bias: number;
    readonly samples: number;
    readonly lr: number;
    readonly freeBits: { readonly nats: number; readonly groups: number } | null;
    readonly weight: number;
  };
  readonly model: GoldenVaeModel & {
    readonly posterior: readonly GoldenMade[];
    readonly prior: readonly GoldenMade[];
  };
  readonly inputs: GoldenTensors;
  readonly outputs: {
    readonly z: GoldenTensor;
    readonly logQ: GoldenTensor;
    readonly logLikelihood: GoldenTensor;
    readonly divergence: GoldenTensor;
    readonly iwae: GoldenTensor;
    readonly loss: number;
  };
  readonly gradients: GoldenVaeModel & {
    readonly posterior: readonly GoldenTensors[];
    readonly prior: readonly GoldenTensors[];
  };
  readonly adam: { readonly losses: readonly number[]; readonly model: GoldenVaeModel };
}

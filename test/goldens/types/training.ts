/** Golden optimizers. */
import type { GoldenTensor, GoldenTensors } from './tensor';

/** Options of Adam. */
export interface GoldenOptimizer {
  readonly type: 'adam' | 'adamw';
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
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

/** training.json */
export interface GoldenTrainingCase {
  readonly name: string;
  readonly optimizer: {
    readonly kind: 'adam' | 'adamW';
    readonly lr: number;
    readonly weightDecay: number;
  };
  readonly clipNorm: number;
  readonly x: GoldenTensor;
  readonly context: GoldenTensor;
  readonly initial: GoldenTensors;
  /** Of each step. */
  readonly losses: readonly number[];
  readonly parameters: GoldenTensors;
  /** Moving averages of the parameters. */
  readonly average: GoldenTensors;
}

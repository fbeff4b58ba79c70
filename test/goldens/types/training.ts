/** Golden optimizers. */
import type { GoldenTensors } from './tensor';

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

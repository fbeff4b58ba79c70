/** Clipping of gradients by their global norm. */
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { requireTensors } from './check';

/**
 * g ← g·min(1, maxNorm/(norm + 1e-6)) in place for all gradients, as torch.nn.utils.clip_grad_norm_. The optimizers do
 * the same on the fly when they are given the norm.
 *
 * @param norm one float64, of gradNorm
 * @param maxNorm one float64
 */
export function clip(norm: Tensor, maxNorm: Tensor, gradients: readonly Tensor[]): void {
  requireTensors('clip', 'gradients', gradients);
  execute('clip', [norm, maxNorm], gradients);
}

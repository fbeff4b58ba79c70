/** Exponential moving averages of a list of tensors. */
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { requireLists } from './adam';
import { requireTensors } from './check';

/**
 * shadow ← shadow + (1 − decay)·(value − shadow), in place, for all tensors in one instruction.
 *
 * @param decay one float64, a tensor so that a recorded step can change it from run to run
 * @param skip int32 [1]: where it is 0 or more, as of {@link checkFinite}, nothing is changed
 */
export function ema(
  decay: Tensor,
  values: readonly Tensor[],
  shadows: readonly Tensor[],
  skip: Tensor | null = null,
): void {
  requireTensors('ema', 'values', values);
  requireTensors('ema', 'shadows', shadows);
  requireLists('ema', values.length, { shadows });
  execute('ema', [decay, skip, ...values], shadows);
}

/** Values of rows and their slopes, for searches and chains over rows. */
import { valueAndGradient } from '../autograd/gradient';
import type { FloatDType } from '../dtype';
import { full, sum } from '../ops';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';

/**
 * @param z [N, D]
 * @param body of z: [N] float64, each number by its row alone
 * @returns what it made, and its gradient [N, D]
 */
export function slopesOf(z: Tensor, body: () => Tensor): { values: Tensor; gradient: Tensor } {
  return scope(() => {
    let made: Tensor | undefined;
    const { gradients } = valueAndGradient(() => {
      const each = body();
      made = each.alias();
      return sum(each);
    }, [z]);
    const values = made as Tensor;
    values.adopt();
    return { values, gradient: gradients[0] ?? full(z.shape, 0, z.dtype as FloatDType) };
  });
}

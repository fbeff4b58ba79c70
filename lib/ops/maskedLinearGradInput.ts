/** Gradient of a masked linear map by its input. */
import type { Tensor } from '../tensor/tensor';
import { requireFloat, requireSameDType, requireShape } from './check';
import { apply, type OpDefinition } from './define';
import { maskedLinear, requireExtents } from './maskedLinear';
import { maskedLinearGradWeight } from './maskedLinearGradWeight';
import { leadingOf } from './matmul';

const definition: OpDefinition<null> = {
  name: 'masked_linear_grad_input',
  outputs(inputs) {
    const [dy, weight, extents] = inputs as [Tensor, Tensor, Tensor];
    requireFloat('maskedLinearGradInput', 'dy', dy);
    requireSameDType('maskedLinearGradInput', 'weight', weight, dy);
    requireShape(
      'maskedLinearGradInput',
      'weight',
      weight,
      [dy.cols, weight.cols],
      'its rows are the columns of dy',
    );
    requireExtents('maskedLinearGradInput', extents, weight.rows);
    return [{ shape: [...leadingOf(dy), weight.cols], dtype: dy.dtype }];
  },
  saves: { inputs: [0, 1, 2], outputs: [] },
  // Bilinear in dy and W: its derivatives are the other two products of the masked map.
  vjp({ inputs, d, needs }) {
    const [dy, weight, extents] = inputs as [Tensor, Tensor, Tensor];
    const g = d[0] as Tensor;
    return [
      needs[0] ? maskedLinear(g, weight, null, { extents }) : null,
      needs[1] ? maskedLinearGradWeight(dy, g, extents) : null,
      null,
    ];
  },
};

/**
 * dx = dy · (W ⊙ mask), mask[o, i] = i < extents[o]. Differentiable any number of times.
 *
 * @param dy [.., out]
 * @param weight [out, in]
 * @param extents int32 [out]
 * @returns [.., in]
 */
export function maskedLinearGradInput(dy: Tensor, weight: Tensor, extents: Tensor): Tensor {
  return apply(definition, [dy, weight, extents], null)[0] as Tensor;
}

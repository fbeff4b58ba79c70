/** Gradient of a masked linear map by its weight. */
import { expected, FlowError } from '../errors';
import type { Tensor } from '../tensor/tensor';
import { requireFloat, requireSameDType } from './check';
import { apply, type OpDefinition } from './define';
import { maskedLinear, requireExtents } from './maskedLinear';
import { maskedLinearGradInput } from './maskedLinearGradInput';

const definition: OpDefinition<null> = {
  name: 'masked_linear_grad_weight',
  outputs(inputs) {
    const [dy, x, extents] = inputs as [Tensor, Tensor, Tensor];
    requireFloat('maskedLinearGradWeight', 'dy', dy);
    requireSameDType('maskedLinearGradWeight', 'x', x, dy);
    if (x.rows !== dy.rows) {
      throw new FlowError(
        'SHAPE',
        expected(
          'maskedLinearGradWeight',
          'x',
          `${dy.rows} rows, as dy`,
          `${x.rows}`,
          'pass the input that gave dy',
        ),
      );
    }
    requireExtents('maskedLinearGradWeight', extents, dy.cols);
    return [{ shape: [dy.cols, x.cols], dtype: dy.dtype }];
  },
  saves: { inputs: [0, 1, 2], outputs: [] },
  // Bilinear in dy and x; the mask keeps what g holds outside of it from having an effect.
  vjp({ inputs, d, needs }) {
    const [dy, x, extents] = inputs as [Tensor, Tensor, Tensor];
    const g = d[0] as Tensor;
    return [
      needs[0] ? maskedLinear(x, g, null, { extents }) : null,
      needs[1] ? maskedLinearGradInput(dy, g, extents) : null,
      null,
    ];
  },
};

/**
 * dW = (dyᵀ · x) ⊙ mask, mask[o, i] = i < extents[o]: exactly zero outside. Differentiable any number of times.
 *
 * @param dy [.., out]
 * @param x [.., in], of the same rows
 * @param extents int32 [out]
 * @returns [out, in]
 */
export function maskedLinearGradWeight(dy: Tensor, x: Tensor, extents: Tensor): Tensor {
  return apply(definition, [dy, x, extents], null)[0] as Tensor;
}

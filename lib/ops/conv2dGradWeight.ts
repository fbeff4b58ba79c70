/** Gradient of a convolution by its weight. */
import { expected, FlowError } from '../errors';
import type { Tensor } from '../tensor/tensor';
import { requireSameDType } from './check';
import { conv2dOfGeometry } from './conv2d';
import { type EncodedGeometry, encodeConv, requirePixels } from './conv2dGeometry';
import { conv2dGradInput } from './conv2dGradInput';
import { apply, type OpDefinition } from './define';

const definition: OpDefinition<EncodedGeometry> = {
  name: 'conv2d_grad_weight',
  outputs(inputs, geometry) {
    const [dy, x] = inputs as [Tensor, Tensor];
    requirePixels('conv2dGradWeight', 'dy', dy, geometry);
    requireSameDType('conv2dGradWeight', 'x', x, dy);
    if (x.rows !== dy.rows) {
      throw new FlowError(
        'SHAPE',
        expected(
          'conv2dGradWeight',
          'x',
          `${dy.rows} rows, as dy`,
          `${x.rows}`,
          'pass the input that gave dy',
        ),
      );
    }
    return [{ shape: [dy.cols, geometry.places * x.cols], dtype: dy.dtype }];
  },
  encode: (geometry) => encodeConv(geometry),
  saves: { inputs: [0, 1], outputs: [] },
  // Bilinear in dy and x.
  vjp({ inputs, d, needs, attributes: geometry }) {
    const [dy, x] = inputs as [Tensor, Tensor];
    const g = d[0] as Tensor;
    return [
      needs[0] ? conv2dOfGeometry(x, g, geometry) : null,
      needs[1] ? conv2dGradInput(dy, g, geometry) : null,
    ];
  },
};

/**
 * dW_tap = Σ_pixels dy[pixel]ᵀ · x[pixel + tap]; exactly zero for taps that are not live. Differentiable any number of times.
 *
 * @param dy [images·height·width, out]
 * @param x [images·height·width, in]
 * @returns [out, kh·kw·in]
 */
export function conv2dGradWeight(dy: Tensor, x: Tensor, geometry: EncodedGeometry): Tensor {
  return apply(definition, [dy, x], geometry)[0] as Tensor;
}

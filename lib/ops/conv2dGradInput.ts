/** Gradient of a convolution by its input. */
import type { Tensor } from '../tensor/tensor';
import { conv2dOfGeometry } from './conv2d';
import {
  type EncodedGeometry,
  encodeConv,
  requireConvWeight,
  requirePixels,
} from './conv2dGeometry';
import { conv2dGradWeight } from './conv2dGradWeight';
import { apply, type OpDefinition } from './define';
import { leadingOf } from './matmul';

const definition: OpDefinition<EncodedGeometry> = {
  name: 'conv2d_grad_input',
  outputs(inputs, geometry) {
    const [dy, weight] = inputs as [Tensor, Tensor];
    requirePixels('conv2dGradInput', 'dy', dy, geometry);
    requireConvWeight('conv2dGradInput', weight, dy, dy.cols, null, geometry);
    return [{ shape: [...leadingOf(dy), weight.cols / geometry.places], dtype: dy.dtype }];
  },
  encode: (geometry) => encodeConv(geometry),
  saves: { inputs: [0, 1], outputs: [] },
  // Bilinear in dy and W: its derivatives are the other two products of the convolution.
  vjp({ inputs, d, needs, attributes: geometry }) {
    const [dy, weight] = inputs as [Tensor, Tensor];
    const g = d[0] as Tensor;
    return [
      needs[0] ? conv2dOfGeometry(g, weight, geometry) : null,
      needs[1] ? conv2dGradWeight(dy, g, geometry) : null,
      null,
    ];
  },
};

/**
 * dx[pixel] = Σ_taps dy[pixel − tap] · W_tap: the transposed convolution. Differentiable any number of times.
 *
 * @param dy [images·height·width, out]
 * @param weight [out, kh·kw·in]
 * @returns [images·height·width, in]
 */
export function conv2dGradInput(dy: Tensor, weight: Tensor, geometry: EncodedGeometry): Tensor {
  return apply(definition, [dy, weight, null], geometry)[0] as Tensor;
}

/** scale·x + shift with two numbers. */
import type { Tensor } from '../tensor/tensor';
import { requireFloat } from './check';
import { apply, type OpDefinition } from './define';

interface Attributes {
  readonly scale: number;
  readonly shift: number;
}

const definition: OpDefinition<Attributes> = {
  name: 'affine_scalar',
  outputs([x]) {
    requireFloat('affineScalar', 'x', x as Tensor);
    return [{ shape: (x as Tensor).shape, dtype: (x as Tensor).dtype }];
  },
  encode: ({ scale, shift }) => [scale, shift],
  saves: { inputs: [], outputs: [] },
  vjp: ({ d: [dy], attributes }) => [affineScalar(dy as Tensor, attributes.scale, 0)],
};

/**
 * scale·x + shift by element.
 *
 * @param x float32 or float64, any shape
 * @param shift 0 if left out
 */
export function affineScalar(x: Tensor, scale: number, shift = 0): Tensor {
  return apply(definition, [x], { scale, shift })[0] as Tensor;
}

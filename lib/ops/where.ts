/** A choice by element. */
import { expected, FlowError } from '../errors';
import { formatShape, type Shape } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { requireFloat, requireSameDType, requireTensor } from './check';
import { apply, type OpDefinition } from './define';
import { full } from './fill';
import { sumTo } from './sum';

interface Attributes {
  readonly shapes: readonly [Shape, Shape];
}

/** The largest of the three shapes; the kernel's broadcasting rule covers the others. */
function resultShape(tensors: readonly Tensor[]): Shape {
  const rows = Math.max(...tensors.map((tensor) => tensor.rows));
  const cols = Math.max(...tensors.map((tensor) => tensor.cols));
  const big = tensors.find((tensor) => tensor.rows === rows && tensor.cols === cols);
  const shape = big?.shape ?? [rows, cols];
  for (const tensor of tensors) {
    const fits =
      (tensor.rows === rows || tensor.rows === 1) && (tensor.cols === cols || tensor.cols === 1);
    if (!fits) {
      throw new FlowError(
        'SHAPE',
        expected(
          'where',
          'mask, a and b',
          'equal shapes, or of the largest one row, one column or one number',
          tensors.map((each) => formatShape(each.shape)).join(', '),
          'reshape or expand them first',
        ),
      );
    }
  }
  return shape;
}

const definition: OpDefinition<Attributes> = {
  name: 'where',
  outputs(inputs) {
    const [mask, a, b] = inputs as [Tensor, Tensor, Tensor];
    requireFloat('where', 'a', a);
    requireSameDType('where', 'b', b, a);
    if (mask.dtype !== 'uint8') requireSameDType('where', 'mask', mask, a);
    return [{ shape: resultShape([mask, a, b]), dtype: a.dtype }];
  },
  saves: { inputs: [0], outputs: [] },
  vjp({ inputs: [saved], d: [dy], needs, attributes: { shapes } }) {
    const [mask, d] = [saved as Tensor, dy as Tensor];
    const zero = full([], 0, d.dtype);
    return [
      null,
      needs[1] ? sumTo(where(mask, d, zero), shapes[0]) : null,
      needs[2] ? sumTo(where(mask, zero, d), shapes[1]) : null,
    ];
  },
};

/**
 * a where the mask is not 0, else b. What is not taken is not looked at, and its gradient is exactly zero, so a NaN or
 * infinity there does no harm in this op (guard the argument of the function that made it as well).
 *
 * @param mask uint8 or the type of a
 * @param a, b float32 or float64; each of the three may be a row, a column or one number of the largest
 */
export function where(mask: Tensor, a: Tensor, b: Tensor): Tensor {
  requireTensor('where', 'mask', mask);
  requireTensor('where', 'a', a);
  requireTensor('where', 'b', b);
  return apply(definition, [mask, a, b], { shapes: [a.shape, b.shape] })[0] as Tensor;
}

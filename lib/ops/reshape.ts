/** Other shapes and types of the same values. */
import { isTracked, record } from '../autograd/tape';
import { checkDType, type DType } from '../dtype';
import { expected, FlowError } from '../errors';
import { checkArgument, list } from '../options';
import { formatShape, type Shape, sizeOf } from '../shape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { requireTensor } from './check';

/** The values side by side: x itself where they are, else a copy. */
export function contiguous(x: Tensor): Tensor {
  requireTensor('contiguous', 'x', x);
  return x.contiguous ? x : copy(x, x.dtype);
}

function copy(x: Tensor, dtype: DType): Tensor {
  const [result] = execute('copy', [x], [{ shape: x.shape, dtype }]) as [Tensor];
  const from = x.dtype;
  const isFloat = (type: DType) => type === 'float32' || type === 'float64';
  if (isFloat(from) && isFloat(dtype) && isTracked([x])) {
    record('copy', [x], [result], [], (_saved, [d]) => [d ? cast(d, from) : null]);
  }
  return result;
}

/** Replaces one −1 by the extent that fits. */
function completed(x: Tensor, shape: Shape): Shape {
  const open = shape.indexOf(-1);
  let full: Shape = shape;
  if (open >= 0) {
    const others = shape.reduce((size, extent, i) => (i === open ? size : size * extent), 1);
    full = shape.map((extent, i) => (i === open ? (others > 0 ? x.size / others : 0) : extent));
  }
  if (sizeOf(full) !== x.size || full.some((extent) => !Number.isInteger(extent) || extent < 0)) {
    throw new FlowError(
      'SHAPE',
      expected(
        'reshape',
        'shape',
        `one of ${x.size} elements, as ${formatShape(x.shape)} has`,
        formatShape(shape),
        'pass a shape with the same number of elements; one extent may be −1',
      ),
    );
  }
  return full;
}

/**
 * The same values in another shape of as many elements: a view where x is contiguous, else a copy.
 *
 * @param shape the new extents; one of them may be −1
 * @throws FlowError SHAPE when the number of elements differs
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  checkArgument('reshape', 'shape', shape, list);
  requireTensor('reshape', 'x', x);
  const full = completed(x, shape);
  const source = contiguous(x);
  const result = source.view(full);
  const before = x.shape;
  if (isTracked([source])) {
    record('reshape', [source], [result], [], (_saved, [d]) => [d ? reshape(d, before) : null]);
  }
  return result;
}

/**
 * The values as another type. To an integer type they are truncated towards zero and clamped to its range; NaN
 * becomes 0. Differentiable from float to float.
 *
 * @returns a new tensor; a view where the type is the same
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  requireTensor('cast', 'x', x);
  checkDType('cast', dtype);
  return dtype === x.dtype ? same(x) : copy(x, dtype);
}

/** A view of all of x as a new value. */
function same(x: Tensor): Tensor {
  const result = x.view(x.shape, x.offset, x.rowStride);
  if (isTracked([x])) record('view', [x], [result], [], (_saved, [d]) => [d ?? null]);
  return result;
}

/** A copy of the values in memory of its own. */
export function clone(x: Tensor): Tensor {
  requireTensor('clone', 'x', x);
  return copy(x, x.dtype);
}

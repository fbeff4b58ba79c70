/** Columns by index: permutations of channels. */
import { isTracked, record } from '../autograd/tape';
import { execute } from '../tensor/execute';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { requireFloat, requireIndices, requireTensor } from './check';
import { apply, type OpDefinition } from './define';

interface Attributes {
  /** Columns of x. */
  readonly cols: number;
}

const withCols = (tensor: Tensor, cols: number) => [...tensor.shape.slice(0, -1), cols];

const scatter: OpDefinition<Attributes> = {
  name: 'scatter_columns',
  outputs: ([d], { cols }) => [{ shape: withCols(d as Tensor, cols), dtype: (d as Tensor).dtype }],
  saves: { inputs: [1], outputs: [] },
  vjp: ({ inputs: [indices], d: [dd] }) => [gatherColumns(dd as Tensor, indices as Tensor), null],
};

const definition: OpDefinition<Attributes> = {
  name: 'gather_columns',
  outputs([x, indices]) {
    requireFloat('gatherColumns', 'x', x as Tensor);
    requireIndices('gatherColumns', indices as Tensor);
    return [{ shape: withCols(x as Tensor, (indices as Tensor).size), dtype: (x as Tensor).dtype }];
  },
  saves: { inputs: [1], outputs: [] },
  vjp: ({ inputs: [indices], d: [dy], attributes }) => [
    apply(scatter, [dy as Tensor, indices as Tensor], attributes)[0] as Tensor,
    null,
  ],
};

/**
 * y[…, k] = x[…, indices[k]]: [N, C] → [N, K]. A column may be named more than once, or not at all.
 *
 * @param x float32 or float64
 * @param indices int32 [K], from 0 to C − 1
 * @throws FlowError NATIVE that names the first bad index and its position
 */
export function gatherColumns(x: Tensor, indices: Tensor): Tensor {
  requireTensor('gatherColumns', 'x', x);
  return apply(definition, [x, indices], { cols: x.cols })[0] as Tensor;
}

/**
 * y[…, k] = x[…, order[k]], a permutation of the columns, whose gradient is a permutation again.
 *
 * @param x float32 or float64, [.., C]
 * @param order int32 [C]: each of 0 … C − 1 once
 * @param inverse int32 [C]: inverse[order[k]] = k
 */
export function permuteColumns(x: Tensor, order: Tensor, inverse: Tensor): Tensor {
  requireFloat('permuteColumns', 'x', x);
  return scope(() => {
    const like = { shape: x.shape, dtype: x.dtype };
    const y = execute('gather_columns', [x, order], [like], [])[0] as Tensor;
    if (isTracked([x])) {
      record('permuteColumns', [x], [y], [order, inverse], ([there, back], [dy]) => [
        dy ? permuteColumns(dy, back as Tensor, there as Tensor) : null,
      ]);
    }
    return y;
  });
}

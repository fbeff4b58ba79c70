/** Rows by index: the batches of a data set. */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { checkOptions, dtype, number, type Rules } from '../options';
import { formatShape, type Shape, sizeOf } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { affineScalar } from './affineScalar';
import { requireIndices, requireTensor } from './check';
import { apply, type OpDefinition } from './define';
import { cast, contiguous, reshape } from './reshape';

export interface GatherOptions {
  /** Type of the result. Default: that of x if it is a float type, else float32. */
  readonly dtype?: FloatDType;
  /** Every value becomes scale·value + shift. */
  readonly scale?: number;
  readonly shift?: number;
}

interface Attributes {
  readonly rows: number;
  readonly from: string;
  readonly dtype: FloatDType;
  readonly scale: number;
  readonly shift: number;
}

const scatter: OpDefinition<{ rows: number }> = {
  name: 'scatter_rows',
  outputs: ([d], { rows }) => [{ shape: [rows, (d as Tensor).cols], dtype: (d as Tensor).dtype }],
  saves: { inputs: [1], outputs: [] },
  vjp: ({ inputs: [indices], d: [dd] }) => [gatherRows(dd as Tensor, indices as Tensor), null],
};

/** On matrices: x [N, C], indices [M] → [M, C]. */
const definition: OpDefinition<Attributes> = {
  name: 'gather_rows',
  outputs: ([x, indices], { dtype }) => [
    { shape: [(indices as Tensor).size, (x as Tensor).cols], dtype },
  ],
  encode: ({ scale, shift }) => [scale, shift],
  saves: { inputs: [1], outputs: [] },
  vjp({ inputs: [indices], d: [dy], attributes: { rows, from, scale } }) {
    if (from !== 'float32' && from !== 'float64') return [null, null];
    const d = apply(scatter, [dy as Tensor, indices as Tensor], { rows })[0] as Tensor;
    const scaled = scale === 1 ? d : affineScalar(d, scale);
    return [scaled.dtype === from ? scaled : cast(scaled, from), null];
  },
};

const gatherRules: Rules<GatherOptions> = { dtype, scale: number, shift: number };

/**
 * The rows (entries of the first axis) of x that `indices` names: [N, …] → [M, …]. A row may be named more than once;
 * its gradient is then the sum, in the order of the indices.
 *
 * @param x any type; of a uint8 or int32 source the result is float, with no gradient by x
 * @param indices int32 [M], from 0 to N − 1
 * @throws FlowError NATIVE that names the first bad index and its position
 */
export function gatherRows(x: Tensor, indices: Tensor, options: GatherOptions = {}): Tensor {
  checkOptions('gatherRows', options, gatherRules);
  requireTensor('gatherRows', 'x', x);
  requireIndices('gatherRows', indices);
  const rows = x.shape[0];
  if (rows === undefined) {
    throw new FlowError(
      'SHAPE',
      expected('gatherRows', 'x', 'at least one axis', formatShape(x.shape), 'pass a table [N, C]'),
    );
  }
  const rest: Shape = x.shape.slice(1);
  const matrix = x.shape.length === 2 ? x : reshape(x, [rows, sizeOf(rest)]);
  const own: FloatDType = x.dtype === 'float64' ? 'float64' : 'float32';
  const { dtype = own, scale = 1, shift = 0 } = options;
  const attributes = { rows, from: x.dtype, dtype, scale, shift };
  const result = apply(definition, [matrix, contiguous(indices)], attributes)[0] as Tensor;
  return x.shape.length === 2 ? result : reshape(result, [indices.size, ...rest]);
}

/** Products by blocks of columns: each block of the row has a matrix of its own. */
import { expected, FlowError } from '../errors';
import { count as aCount, checkArgument, checkOptions, flag } from '../options';
import { formatShape } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { requireFloat, requireSameDType } from './check';
import { apply, type OpDefinition } from './define';
import { leadingOf } from './matmul';

interface Attributes {
  readonly count: number;
  readonly transpose: boolean;
}

const definition: OpDefinition<Attributes> = {
  name: 'block_matmul',
  outputs([first, second], { count, transpose }) {
    const [x, blocks] = [first as Tensor, second as Tensor];
    requireFloat('blockMatmul', 'x', x);
    requireSameDType('blockMatmul', 'blocks', blocks, x);
    const whole = Number.isSafeInteger(count) && count >= 1;
    const depth = x.cols / count;
    const side = blocks.rows / count;
    const fits =
      whole &&
      blocks.shape.length === 2 &&
      Number.isInteger(depth) &&
      Number.isInteger(side) &&
      depth === (transpose ? blocks.cols : side);
    if (!fits) {
      throw new FlowError(
        'SHAPE',
        expected(
          'blockMatmul',
          'blocks',
          `shape ${transpose ? '[F·M, K]' : '[F·K, M]'} for x [.., F·K] = ${formatShape(x.shape)}, F = ${count}`,
          formatShape(blocks.shape),
          'pass one matrix a block of columns, below each other',
        ),
      );
    }
    const cols = transpose ? side : blocks.cols;
    return [{ shape: [...leadingOf(x), count * cols], dtype: x.dtype }];
  },
  encode: ({ count, transpose }) => [count, transpose ? 1 : 0],
  saves: { inputs: [1], outputs: [] },
  vjp({ inputs: [blocks], d: [dy], attributes: { count, transpose } }) {
    const turned = { count, transpose: !transpose };
    return [apply(definition, [dy as Tensor, blocks as Tensor], turned)[0] as Tensor, null];
  },
};

/**
 * y_f = x_f·B_f for the F blocks of columns of x. Differentiable by x any number of times; the blocks are constants to it.
 *
 * @param x [.., F·K]
 * @param blocks [F·K, M]: the matrices below each other; with `transpose` [F·M, K], and y_f = x_f·B_fᵀ
 * @param count F
 * @returns [.., F·M]
 * @throws FlowError SHAPE, DTYPE
 */
export function blockMatmul(
  x: Tensor,
  blocks: Tensor,
  count: number,
  options: { readonly transpose?: boolean } = {},
): Tensor {
  checkOptions('blockMatmul', options, { transpose: flag });
  checkArgument('blockMatmul', 'count', count, aCount);
  const { transpose = false } = options;
  return apply(definition, [x, blocks], { count, transpose })[0] as Tensor;
}

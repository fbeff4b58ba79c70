/** Matrix products of rows × channels. */
import { expected, FlowError } from '../errors';
import { checkOptions, flag } from '../options';
import { formatShape } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { requireFloat, requireSameDType } from './check';
import { apply, type OpDefinition } from './define';

export interface MatmulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

interface Attributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** All axes but the last. */
export function leadingOf(tensor: Tensor): readonly number[] {
  return tensor.shape.slice(0, -1);
}

const definition: OpDefinition<Attributes> = {
  name: 'matmul',
  outputs([a, b], { transposeA, transposeB }) {
    if (!a || !b)
      throw new FlowError('ARGUMENT', '[matmul] operands: expected two, got fewer: pass tensors');
    requireFloat('matmul', 'a', a);
    requireSameDType('matmul', 'b', b, a);
    const inner = transposeA ? a.rows : a.cols;
    const innerOfB = transposeB ? b.cols : b.rows;
    if (inner !== innerOfB) {
      throw new FlowError(
        'SHAPE',
        expected(
          'matmul',
          'b',
          `inner size ${inner}, that of a ${formatShape(a.shape)}${transposeA ? ' transposed' : ''}`,
          `${innerOfB} of ${formatShape(b.shape)}${transposeB ? ' transposed' : ''}`,
          'the columns of op(a) must be the rows of op(b)',
        ),
      );
    }
    const cols = transposeB ? b.rows : b.cols;
    const leading = transposeA ? [a.cols] : leadingOf(a);
    return [{ shape: [...leading, cols], dtype: a.dtype }];
  },
  encode: ({ transposeA, transposeB }) => [transposeA ? 1 : 0, transposeB ? 1 : 0],
  saves: { inputs: [0, 1], outputs: [] },
  vjp({ inputs, d, needs, attributes: { transposeA, transposeB } }) {
    const [a, b] = inputs as [Tensor, Tensor];
    const dc = d[0] as Tensor;
    let da: Tensor | null = null;
    let db: Tensor | null = null;
    if (needs[0]) {
      da = transposeA
        ? matmul(b, dc, { transposeA: transposeB, transposeB: true })
        : matmul(dc, b, { transposeB: !transposeB });
    }
    if (needs[1]) {
      db = transposeB
        ? matmul(dc, a, { transposeA: true, transposeB: transposeA })
        : matmul(a, dc, { transposeA: !transposeA });
    }
    return [da, db];
  },
};

/**
 * op(a) · op(b), where op is the identity or, as asked, the transpose. Differentiable any number of times.
 *
 * An operand of more than two axes is the matrix [product of the leading axes, last axis]; untransposed, `a` hands
 * its leading axes on to the result. With `transposeA` and more than two axes, a and b need the same leading axes.
 *
 * @param a [.., K], or [.., M] where it is transposed
 * @param b [K, N], or [N, K] where it is transposed; of a's dtype
 * @returns [.., N]; [M, N] with `transposeA`
 * @throws FlowError SHAPE where the inner sizes differ, DTYPE where the types do
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  checkOptions('matmul', options, { transposeA: flag, transposeB: flag });
  const { transposeA = false, transposeB = false } = options;
  return apply(definition, [a, b], { transposeA, transposeB })[0] as Tensor;
}

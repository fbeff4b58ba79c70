/** Determinants and inverses of many small matrices at once. */
import { isTracked, record } from '../autograd/tape';
import { expected, FlowError } from '../errors';
import { formatShape } from '../shape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { mul } from './binary';
import { refuseSecondGradient, requireFloat } from './check';
import { cast, reshape } from './reshape';

function matricesOf(where: string, a: Tensor): number {
  requireFloat(where, 'a', a);
  if (a.shape.length === 2 && a.cols > 0 && a.rows % a.cols === 0) return a.rows / a.cols;
  throw new FlowError(
    'SHAPE',
    expected(
      where,
      'a',
      'shape [B·C, C]',
      formatShape(a.shape),
      'pass square matrices below each other',
    ),
  );
}

/**
 * The transposed inverse of each matrix, by elimination in float64. A singular one gives infinities and NaN.
 * No gradient goes through this op.
 *
 * @param a [B·C, C], B matrices below each other
 * @returns inverseTransposed [B·C, C] of a's type, logAbsDet [B] float64
 * @throws FlowError SHAPE, DTYPE
 */
export function batchInverse(a: Tensor): { inverseTransposed: Tensor; logAbsDet: Tensor } {
  const count = matricesOf('batchInverse', a);
  const [inverseTransposed, logAbsDet] = execute(
    'batch_inverse',
    [a],
    [
      { shape: a.shape, dtype: a.dtype },
      { shape: [count], dtype: 'float64' },
    ],
  ) as [Tensor, Tensor];
  return { inverseTransposed, logAbsDet };
}

/**
 * log|det| of each matrix, −∞ of a singular one, by elimination in float64. Its gradient is the transposed inverse; it cannot
 * be differentiated again.
 *
 * @param a [B·C, C], B matrices below each other
 * @returns [B] float64
 * @throws FlowError SHAPE, DTYPE
 */
export function batchLogAbsDet(a: Tensor): Tensor {
  const count = matricesOf('batchLogAbsDet', a);
  const spec = { shape: [count], dtype: 'float64' } as const;
  if (!isTracked([a])) return execute('batch_inverse', [a], [null, spec])[0] as Tensor;
  const { inverseTransposed, logAbsDet } = batchInverse(a);
  const { cols, shape, dtype } = a;
  record('batchLogAbsDet', [a], [logAbsDet], [inverseTransposed, a], (saved, [d]) => {
    const [inverse, matrices] = saved as [Tensor, Tensor];
    refuseSecondGradient('batchLogAbsDet', [matrices, d ?? null]);
    if (!d) return [null];
    const factor = reshape(cast(d, dtype), [count, 1]);
    return [reshape(mul(reshape(inverse, [count, cols * cols]), factor), shape)];
  });
  return logAbsDet;
}

/** LU decomposition with partial pivoting: determinant of a square matrix, and its equations. */
import { isTracked, record } from '../autograd/tape';
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { formatShape } from '../shape';
import { execute } from '../tensor/execute';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { mul } from './binary';
import { refuseSecondGradient, requireFloat, requireSameDType, requireShape } from './check';
import { matmul } from './matmul';
import { max } from './reduce';
import { cast } from './reshape';
import { sum } from './sum';
import { abs, neg } from './unary';

/** What is known of a matrix after its decomposition. */
export interface LuFactors {
  /** The matrix [C, C]: gradients go to it. */
  readonly matrix: Tensor;
  /** float64 [C, C]: U on and above the diagonal, L below it. No gradient. */
  readonly factors: Tensor;
  /** int32 [C]: row i of L·U is row rows[i] of the matrix. */
  readonly rows: Tensor;
  /** float64 []: log|det|; −∞ of a singular matrix. Its gradient is the transposed inverse. */
  readonly logAbsDet: Tensor;
  /** float64 []: 1, −1, or 0 of a singular matrix. No gradient. */
  readonly sign: Tensor;
}

interface Pieces {
  readonly factors: Tensor;
  readonly rows: Tensor;
}

const noForm = 0;
const bySubstitution = 1;

/** W·x = y − bias, or Wᵀ·x = y, for each row; y null: for each row of the identity. */
function solveRows(
  { factors, rows }: Pieces,
  y: Tensor | null,
  bias: Tensor | null,
  transpose: boolean,
  dtype: FloatDType,
): Tensor {
  const spec = { shape: y ? y.shape : factors.shape, dtype };
  const operands = [y, factors, null, null, rows, bias];
  const method = y ? 0 : bySubstitution;
  return execute('lu_solve', operands, [spec], [noForm, transpose ? 1 : 0, method])[0] as Tensor;
}

/**
 * P·L·U = W, in float64 whatever the type of W. The gradient of log|det| is fused and cannot be differentiated again.
 *
 * @param w [C, C], float32 or float64
 * @throws FlowError SHAPE, DTYPE; in the gradient NATIVE where W is singular
 */
export function luFactor(w: Tensor): LuFactors {
  requireFloat('luFactor', 'w', w);
  const channels = w.cols;
  if (w.shape.length !== 2 || w.rows !== channels || channels === 0) {
    throw new FlowError(
      'SHAPE',
      expected('luFactor', 'w', 'shape [C, C]', formatShape(w.shape), 'pass a square matrix'),
    );
  }
  const scalar = { shape: [], dtype: 'float64' } as const;
  const [factors, rows, logAbsDet, sign] = execute(
    'lu_factor',
    [w],
    [
      { shape: [channels, channels], dtype: 'float64' },
      { shape: [channels], dtype: 'int32' },
      scalar,
      scalar,
    ],
  ) as [Tensor, Tensor, Tensor, Tensor];
  if (isTracked([w])) {
    const dtype = w.dtype as FloatDType;
    record('luFactor', [w], [logAbsDet], [factors, rows, w], (saved, [d]) => {
      const [itsFactors, itsRows, matrix] = saved as [Tensor, Tensor, Tensor];
      refuseSecondGradient('luFactor', [matrix, d ?? null]);
      if (!d) return [null];
      const pieces = { factors: itsFactors, rows: itsRows };
      // Row i is W⁻¹·e_i, column i of the inverse.
      const inverseTransposed = solveRows(pieces, null, null, false, dtype);
      return [mul(inverseTransposed, cast(d, dtype))];
    });
  }
  return { matrix: w, factors, rows, logAbsDet, sign };
}

/**
 * The condition number ‖W‖₁·‖W⁻¹‖₁ of W: about how many times larger a relative error comes out of W·x = y than it went in.
 * Reads numbers, so not while a program is recorded.
 */
export function conditionNumber(lu: LuFactors): number {
  return scope(() => {
    if (lu.sign.item() === 0) return Number.POSITIVE_INFINITY;
    const matrix = cast(lu.matrix, 'float64');
    // Its rows are the columns of W⁻¹.
    const inverse = solveRows(lu, null, null, false, 'float64');
    const norm = max(sum(abs(matrix), 0)).item();
    return norm * max(sum(abs(inverse), -1)).item();
  });
}

/**
 * The rows x with W·x = y − bias: the inverse of `linear(x, W, bias)`. Differentiable by y, bias and the matrix; the
 * gradient cannot be differentiated again.
 *
 * @param lu the decomposition of W [C, C]
 * @param y [.., C], of W's dtype
 * @param bias [C] or null
 * @throws FlowError SHAPE, DTYPE; NATIVE where W is singular
 */
export function luFactorSolve(lu: LuFactors, y: Tensor, bias: Tensor | null = null): Tensor {
  const { matrix } = lu;
  const channels = matrix.cols;
  requireSameDType('luFactorSolve', 'y', y, matrix);
  if (y.shape.length === 0 || y.cols !== channels) {
    throw new FlowError(
      'SHAPE',
      expected(
        'luFactorSolve',
        'y',
        `shape [.., ${channels}]`,
        formatShape(y.shape),
        'pass one column a channel',
      ),
    );
  }
  if (bias) {
    requireSameDType('luFactorSolve', 'bias', bias, matrix);
    requireShape('luFactorSolve', 'bias', bias, [channels], 'one number a channel');
  }
  const dtype = matrix.dtype as FloatDType;
  const x = solveRows(lu, y, bias, false, dtype);
  const inputs = [matrix, y, bias];
  if (isTracked(inputs)) {
    record('luFactorSolve', inputs, [x], [lu.factors, lu.rows, x, matrix], (saved, [dx], needs) => {
      const [factors, rows, itsX, itsMatrix] = saved as [Tensor, Tensor, Tensor, Tensor];
      if (!dx) return [null, null, null];
      refuseSecondGradient('luFactorSolve', [itsMatrix, itsX, dx]);
      const dy = solveRows({ factors, rows }, dx, null, true, dtype);
      return [
        needs[0] ? neg(matmul(dy, itsX, { transposeA: true })) : null,
        needs[1] ? dy : null,
        needs[2] ? neg(sum(dy, 0)) : null,
      ];
    });
  }
  return x;
}

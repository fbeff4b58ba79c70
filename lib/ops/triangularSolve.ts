/** Systems of equations with a triangular matrix, for many right-hand sides. */
import { expected, FlowError } from '../errors';
import { anything, checkOptions, flag, type Rules, required } from '../options';
import { formatShape, sameShape } from '../shape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { refuseSecondGradient, requireFloat, requireSameDType } from './check';
import { apply, type OpDefinition } from './define';

export interface TriangularSolveOptions {
  /** 'right' (default): X·op(T) = B, row by row of B. 'left': op(T)·X = B. */
  readonly side?: 'left' | 'right';
  /** Whether T is lower triangular; what is on the other side of its diagonal is not read. */
  readonly lower: boolean;
  /** Whether op is the transpose; default false. */
  readonly transpose?: boolean;
  /** Whether the diagonal is taken as ones, whatever T holds there; default false. */
  readonly unitDiagonal?: boolean;
}

interface Attributes {
  readonly left: boolean;
  readonly lower: boolean;
  readonly transpose: boolean;
  readonly unitDiagonal: boolean;
}

const encode = ({ left, lower, transpose, unitDiagonal }: Attributes) =>
  [left, lower, transpose, unitDiagonal].map(Number);

const definition: OpDefinition<Attributes> = {
  name: 'triangular_solve',
  outputs([t, b], { left }) {
    if (!t || !b)
      throw new FlowError(
        'ARGUMENT',
        '[triangularSolve] operands: expected t and b, got fewer: pass tensors',
      );
    requireFloat('triangularSolve', 't', t);
    requireSameDType('triangularSolve', 'b', b, t);
    const n = t.cols;
    if (t.shape.length < 2 || t.shape.at(-2) !== n || n === 0) {
      throw new FlowError(
        'SHAPE',
        expected(
          'triangularSolve',
          't',
          'shape [.., n, n]',
          formatShape(t.shape),
          'pass a square matrix, or a stack of them',
        ),
      );
    }
    const leading = t.shape.slice(0, -2);
    const shared = leading.length === 0;
    const own = b.shape.slice(0, -2);
    // A right side with one matrix is a solve of rows, whatever their axes.
    const fits = left
      ? b.shape.length >= 2 && b.shape.at(-2) === n && (shared || sameShape(own, leading))
      : b.cols === n && b.shape.length > 0 && (shared || sameShape(own, leading));
    if (!fits) {
      const axes = leading.map((extent) => `${extent}, `).join('');
      throw new FlowError(
        'SHAPE',
        expected(
          'triangularSolve',
          'b',
          `shape ${shared ? '[.., ' : `[${axes}`}${left ? `${n}, m]` : `m, ${n}]`} for t ${formatShape(t.shape)}`,
          formatShape(b.shape),
          left ? 'op(T)·X = B wants n rows' : 'X·op(T) = B wants n columns',
        ),
      );
    }
    return [{ shape: b.shape, dtype: b.dtype }];
  },
  encode,
  saves: { inputs: [0], outputs: [0] },
  vjp({ inputs: [t], outputs: [x], d: [dx], needs, attributes }) {
    const { left, lower, transpose, unitDiagonal } = attributes;
    const db = triangularSolve(t as Tensor, dx as Tensor, {
      side: left ? 'left' : 'right',
      lower,
      transpose: !transpose,
      unitDiagonal,
    });
    if (!needs[0]) return [null, db];
    refuseSecondGradient('triangularSolve', [t as Tensor, x as Tensor, dx as Tensor]);
    const spec = { shape: (t as Tensor).shape, dtype: db.dtype };
    const [dt] = execute('triangular_solve_grad', [x as Tensor, db], [spec], encode(attributes));
    return [dt as Tensor, needs[1] ? db : null];
  },
};

const solveRules: Rules<TriangularSolveOptions> = {
  side: anything,
  lower: required(flag),
  transpose: flag,
  unitDiagonal: flag,
};

/**
 * X of X·op(T) = B, or of op(T)·X = B, by substitution. The gradient by T is zero outside of its triangle (and on a unit
 * diagonal); it cannot be differentiated again, that by B can.
 *
 * @param t [.., n, n], float32 or float64
 * @param b [.., m, n] on the right, [.., n, m] on the left, with the leading axes of t; one t [n, n] serves a stack of b
 * @returns X, of b's shape
 * @throws FlowError SHAPE, DTYPE; NATIVE where a diagonal that is read holds a zero: the sentence says which
 */
export function triangularSolve(t: Tensor, b: Tensor, options: TriangularSolveOptions): Tensor {
  checkOptions('triangularSolve', options, solveRules);
  const { side = 'right', lower, transpose = false, unitDiagonal = false } = options;
  if (side !== 'left' && side !== 'right') {
    throw new FlowError(
      'ARGUMENT',
      expected('triangularSolve', 'side', "'left' or 'right'", String(side), 'pass one of them'),
    );
  }
  return apply(definition, [t, b], {
    left: side === 'left',
    lower,
    transpose,
    unitDiagonal,
  })[0] as Tensor;
}

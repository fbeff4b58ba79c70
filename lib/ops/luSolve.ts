/** Systems of equations with a matrix that is known by its triangles. */
import { expected, FlowError } from '../errors';
import { anything, checkOptions, flag, type Rules } from '../options';
import { formatShape } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { refuseSecondGradient, requireSameDType, requireShape } from './check';
import { apply, type OpDefinition } from './define';
import {
  checkTriangles,
  checkTrianglesList,
  encodeLuForm,
  type LuForm,
  type LuTriangles,
  luComposeGrads,
} from './luCompose';
import { matmul } from './matmul';
import { sum } from './sum';
import { neg } from './unary';

/**
 * 'substitution': with both triangles, W⁻¹ is never formed. 'inverse': W⁻¹ by substitution in float64, rounded, then one
 * product. 'auto': the faster one for so many channels.
 */
export type LuMethod = 'auto' | 'substitution' | 'inverse';

const methods: readonly LuMethod[] = ['auto', 'substitution', 'inverse'];

export interface LuSolveOptions {
  /** [C], subtracted from y first; not with `transpose`. */
  readonly bias?: Tensor | null;
  /** Wᵀ·x = y instead; default false. */
  readonly transpose?: boolean;
  /** Default 'auto'. */
  readonly method?: LuMethod;
}

interface Attributes {
  readonly form: LuForm;
  readonly transpose: boolean;
  readonly method: LuMethod;
}

const definition: OpDefinition<Attributes> = {
  name: 'lu_solve',
  outputs([y, factors, logScale, sign, rows, bias], { transpose }) {
    const [rhs, f] = [y as Tensor, factors as Tensor];
    const channels = checkTriangles('luSolve', f, logScale as Tensor, sign as Tensor, rows ?? null);
    requireSameDType('luSolve', 'y', rhs, f);
    if (rhs.shape.length === 0 || rhs.cols !== channels) {
      throw new FlowError(
        'SHAPE',
        expected(
          'luSolve',
          'y',
          `shape [.., ${channels}]`,
          formatShape(rhs.shape),
          'pass one column a channel',
        ),
      );
    }
    if (bias) {
      requireSameDType('luSolve', 'bias', bias, f);
      requireShape('luSolve', 'bias', bias, [channels], 'one number a channel');
      if (transpose) {
        throw new FlowError(
          'ARGUMENT',
          expected('luSolve', 'bias', 'none with transpose', 'one', 'subtract it from y'),
        );
      }
    }
    return [{ shape: rhs.shape, dtype: rhs.dtype }];
  },
  encode: ({ form, transpose, method }) => [
    encodeLuForm('luSolve', form),
    transpose ? 1 : 0,
    methods.indexOf(method),
  ],
  saves: { inputs: [1, 2, 3, 4], outputs: [0] },
  vjp({ inputs, outputs: [x], d: [dx], needs, attributes: { form, transpose, method } }) {
    const [factors, logScale, sign, rows] = inputs as [Tensor, Tensor, Tensor, Tensor | null];
    const triangles = { factors, logScale, sign, rows, form };
    const dy = luSolve(dx as Tensor, triangles, { transpose: !transpose, method });
    let dFactors: Tensor | null = null;
    let dLogScale: Tensor | null = null;
    if (needs[1] || needs[2]) {
      refuseSecondGradient('luSolve', [...inputs, x as Tensor, dx as Tensor]);
      // dW of W·x = y, before its sign is turned: one outer product a row.
      const outer = transpose
        ? matmul(x as Tensor, dy, { transposeA: true })
        : matmul(dy, x as Tensor, { transposeA: true });
      const [found] = luComposeGrads('luSolve', [
        { triangles, dWeight: neg(outer), dLogAbsDet: null },
      ]);
      dFactors = found?.dFactors ?? null;
      dLogScale = found?.dLogScale ?? null;
    }
    return [
      needs[0] ? dy : null,
      needs[1] ? dFactors : null,
      needs[2] ? dLogScale : null,
      null,
      null,
      needs[5] ? neg(sum(dy, 0)) : null,
    ];
  },
};

const luSolveRules: Rules<LuSolveOptions> = { bias: anything, transpose: flag, method: anything };

/**
 * The rows x with W·x = y − bias, W of its triangles (see {@link luCompose}): the inverse of `linear(x, W, bias)`.
 * The gradient by the triangles cannot be differentiated again, that by y can.
 *
 * @param y [.., C]
 * @returns x [.., C]
 * @throws FlowError SHAPE, DTYPE, ARGUMENT; NATIVE where a scale is 0
 */
export function luSolve(y: Tensor, triangles: LuTriangles, options: LuSolveOptions = {}): Tensor {
  checkTrianglesList('luSolve', [triangles]);
  checkOptions('luSolve', options, luSolveRules);
  const { factors, logScale, sign, rows, form = 'lu' } = triangles;
  const { bias = null, transpose = false, method = 'auto' } = options;
  if (!methods.includes(method)) {
    throw new FlowError(
      'ARGUMENT',
      expected('luSolve', 'method', `one of ${methods.join(', ')}`, String(method), 'pass one'),
    );
  }
  return apply(definition, [y, factors, logScale, sign, rows, bias], {
    form,
    transpose,
    method,
  })[0] as Tensor;
}

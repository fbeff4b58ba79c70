/** A matrix by its triangles: the parameters of linear flows whose determinant is a product. */
import { expected, FlowError } from '../errors';
import { formatShape } from '../shape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { refuseSecondGradient, requireFloat, requireSameDType, requireShape } from './check';
import { apply, type OpDefinition } from './define';

/**
 * Which triangles make the matrix: 'lu' W = P·L·(U + diag(s)) (Kingma, Dhariwal 2018, "Glow", eq. 10); 'lower' and
 * 'upper' W = triangle + diag(s).
 */
export type LuForm = 'lu' | 'lower' | 'upper';

const forms: readonly LuForm[] = ['lu', 'lower', 'upper'];

export function encodeLuForm(where: string, form: LuForm): number {
  const code = forms.indexOf(form);
  if (code < 0) {
    throw new FlowError(
      'ARGUMENT',
      expected(where, 'form', `one of ${forms.join(', ')}`, String(form), 'pass one of them'),
    );
  }
  return code;
}

/** The triangles of a matrix W [C, C]. */
export interface LuTriangles {
  /**
   * [C, C]: U strictly above the diagonal, L strictly below it (L has ones on its own). The diagonal is not read and its
   * gradient is 0; the same goes for a triangle that the form has not.
   */
  readonly factors: Tensor;
  /** [C]: log|s|. */
  readonly logScale: Tensor;
  /** [C]: the signs of s, 1 or −1. No gradient. */
  readonly sign: Tensor;
  /** P, int32 [C]: row i of L·(U + diag(s)) is row rows[i] of W. Null: the identity. */
  readonly rows: Tensor | null;
  /** Default 'lu'. */
  readonly form?: LuForm;
}

/** Checks them; returns C. */
export function checkTriangles(
  where: string,
  factors: Tensor,
  logScale: Tensor | null,
  sign: Tensor | null,
  rows: Tensor | null,
): number {
  requireFloat(where, 'factors', factors);
  const channels = factors.cols;
  if (factors.shape.length !== 2 || factors.rows !== channels || channels === 0) {
    throw new FlowError(
      'SHAPE',
      expected(
        where,
        'factors',
        'shape [C, C]',
        formatShape(factors.shape),
        'pass a square matrix that holds both triangles',
      ),
    );
  }
  for (const [name, tensor] of [
    ['logScale', logScale],
    ['sign', sign],
  ] as const) {
    if (!tensor) continue;
    requireSameDType(where, name, tensor, factors);
    requireShape(where, name, tensor, [channels], 'one number a channel');
  }
  if (rows) {
    if (rows.dtype !== 'int32')
      throw new FlowError(
        'DTYPE',
        expected(where, 'rows', 'int32', rows.dtype, 'make them of an Int32Array'),
      );
    requireShape(where, 'rows', rows, [channels], 'each of 0 … C − 1 once');
  }
  return channels;
}

interface Attributes {
  readonly form: LuForm;
}

const definition: OpDefinition<Attributes> = {
  name: 'lu_compose',
  outputs([factors, logScale, sign, rows]) {
    const f = factors as Tensor;
    checkTriangles('luCompose', f, logScale as Tensor, sign as Tensor, rows ?? null);
    return [{ shape: f.shape, dtype: f.dtype }];
  },
  encode: ({ form }) => [encodeLuForm('luCompose', form)],
  saves: { inputs: [0, 1, 2, 3], outputs: [] },
  vjp({ inputs, d: [dw], attributes: { form } }) {
    const [factors, logScale, sign, rows] = inputs as [Tensor, Tensor, Tensor, Tensor | null];
    refuseSecondGradient('luCompose', [...inputs, dw as Tensor]);
    const triangles = { factors, logScale, sign, rows, form };
    const { dFactors, dLogScale } = luComposeGrad('luCompose', triangles, dw as Tensor);
    return [dFactors, dLogScale, null, null];
  },
};

/** The gradients of the triangles, given that of W. */
export function luComposeGrad(
  where: string,
  { factors, logScale, sign, rows, form = 'lu' }: LuTriangles,
  dw: Tensor,
): { dFactors: Tensor; dLogScale: Tensor } {
  const [dFactors, dLogScale] = execute(
    'lu_compose_grad',
    [factors, logScale, sign, rows, dw],
    [
      { shape: factors.shape, dtype: factors.dtype },
      { shape: logScale.shape, dtype: logScale.dtype },
    ],
    [encodeLuForm(where, form)],
  ) as [Tensor, Tensor];
  return { dFactors, dLogScale };
}

/**
 * W [C, C] of its triangles. log|det W| is the sum of logScale. The gradient is fused and cannot be differentiated again.
 *
 * @throws FlowError SHAPE, DTYPE, ARGUMENT (form); NATIVE where rows is no permutation
 */
export function luCompose({ factors, logScale, sign, rows, form = 'lu' }: LuTriangles): Tensor {
  return apply(definition, [factors, logScale, sign, rows], { form })[0] as Tensor;
}

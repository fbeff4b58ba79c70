/** A matrix by its triangles: the parameters of linear flows whose determinant is a product. */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { checkArgument, list, object } from '../options';
import { formatShape } from '../shape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import {
  refuseSecondGradient,
  requireFloat,
  requireSameDType,
  requireShape,
  requireTensor,
} from './check';
import { apply, type OpDefinition } from './define';
import { zeros } from './fill';

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

/** A matrix W of its triangles. */
export interface LuComposed {
  /** W [C, C]. */
  readonly weight: Tensor;
  /** float64 []: log|det W| = Σ logScale. */
  readonly logAbsDet: Tensor;
}

interface Attributes {
  readonly forms: readonly LuForm[];
}

/** Throws ARGUMENT unless each is an object with factors. */
export function checkTrianglesList(where: string, all: readonly LuTriangles[]): void {
  checkArgument(where, 'triangles', all, list);
  for (const triangles of all) {
    checkArgument(where, 'triangles', triangles, object);
    requireTensor(where, 'factors', triangles.factors);
  }
}

/** factors, logScale, sign and rows of one matrix after the other, as the ops take them, and back. */
function luOperands(all: readonly LuTriangles[]): (Tensor | null)[] {
  return all.flatMap(({ factors, logScale, sign, rows }) => [factors, logScale, sign, rows]);
}
function trianglesOf(
  inputs: readonly (Tensor | null)[],
  { forms }: Attributes,
): readonly LuTriangles[] {
  return forms.map((form, k) => ({
    factors: inputs[4 * k] as Tensor,
    logScale: inputs[4 * k + 1] as Tensor,
    sign: inputs[4 * k + 2] as Tensor,
    rows: inputs[4 * k + 3] ?? null,
    form,
  }));
}

/** What is wanted of a list of matrices: a matrix and its log-determinant each, with a gradient by the triangles. */
export interface LuListOp {
  readonly name: 'lu_compose' | 'lu_inverse';
  readonly where: string;
  /** dL_dW, given the gradient of the matrix that was made. */
  gradient(made: Tensor, d: Tensor): Tensor;
  readonly savesMade: boolean;
}

/** For `count` matrices at once. */
function definitionOf(op: LuListOp, count: number): OpDefinition<Attributes> {
  const { name, where } = op;
  return {
    name,
    outputs: (inputs, attributes) =>
      trianglesOf(inputs, attributes).flatMap(({ factors, logScale, sign, rows }) => {
        checkTriangles(where, factors, logScale, sign, rows);
        return [
          { shape: factors.shape, dtype: factors.dtype },
          { shape: [], dtype: 'float64' },
        ];
      }),
    encode: ({ forms }) => forms.map((form) => encodeLuForm(where, form)),
    saves: {
      inputs: Array.from({ length: 4 * count }, (_, i) => i),
      outputs: op.savesMade ? Array.from({ length: count }, (_, k) => 2 * k) : [],
    },
    vjp({ inputs, outputs, d, needs, attributes }) {
      refuseSecondGradient(where, [...inputs, ...d]);
      const triangles = trianglesOf(inputs, attributes);
      const wanted = triangles.flatMap((one, k) => {
        const [dMade, dLogAbsDet] = [d[2 * k] ?? null, d[2 * k + 1] ?? null];
        if (!(needs[4 * k] || needs[4 * k + 1]) || !(dMade || dLogAbsDet)) return [];
        const dWeight = dMade && op.gradient(outputs[k] as Tensor, dMade);
        return [{ k, triangles: one, dWeight, dLogAbsDet }];
      });
      const found = luComposeGrads(where, wanted);
      const gradients: (Tensor | null)[] = inputs.map(() => null);
      for (const [i, { k }] of wanted.entries()) {
        gradients[4 * k] = found[i]?.dFactors ?? null;
        gradients[4 * k + 1] = found[i]?.dLogScale ?? null;
      }
      return gradients;
    },
  };
}

/** Definitions by the number of matrices. */
const definitions = new WeakMap<LuListOp, Map<number, OpDefinition<Attributes>>>();

/** Runs the op for all of `all` at once. */
export function luList(op: LuListOp, all: readonly LuTriangles[]): LuComposed[] {
  checkTrianglesList(op.where, all);
  const own = definitions.get(op) ?? new Map<number, OpDefinition<Attributes>>();
  definitions.set(op, own);
  const definition = own.get(all.length) ?? definitionOf(op, all.length);
  own.set(all.length, definition);
  const made = apply(definition, luOperands(all), { forms: all.map(({ form = 'lu' }) => form) });
  return all.map((_, k) => ({
    weight: made[2 * k] as Tensor,
    logAbsDet: made[2 * k + 1] as Tensor,
  }));
}

const composition: LuListOp = {
  name: 'lu_compose',
  where: 'luCompose',
  gradient: (_, d) => d,
  savesMade: false,
};

interface LuGradients {
  readonly dFactors: Tensor;
  readonly dLogScale: Tensor;
}

/** The gradients of the triangles, given those of W and of its log-determinant (null: 0), for all matrices at once. */
export function luComposeGrads(
  where: string,
  all: readonly {
    readonly triangles: LuTriangles;
    readonly dWeight: Tensor | null;
    readonly dLogAbsDet: Tensor | null;
  }[],
): LuGradients[] {
  if (all.length === 0) return [];
  const like = (tensor: Tensor) => ({ shape: tensor.shape, dtype: tensor.dtype });
  const made = execute(
    'lu_compose_grad',
    all.flatMap(({ triangles, dWeight, dLogAbsDet }) => [
      ...luOperands([triangles]),
      dWeight ?? zeros(triangles.factors.shape, triangles.factors.dtype as FloatDType),
      dLogAbsDet,
    ]),
    all.flatMap(({ triangles: { factors, logScale } }) => [like(factors), like(logScale)]),
    all.map(({ triangles: { form = 'lu' } }) => encodeLuForm(where, form)),
  );
  return all.map((_, k) => ({
    dFactors: made[2 * k] as Tensor,
    dLogScale: made[2 * k + 1] as Tensor,
  }));
}

/**
 * The matrices of many triangles, of any sizes and one dtype, in one instruction, on a GPU in one launch; the gradients likewise. The
 * gradient is fused and cannot be differentiated again.
 *
 * @throws FlowError SHAPE, DTYPE, ARGUMENT (form); NATIVE where rows is no permutation
 */
export function luComposeAll(all: readonly LuTriangles[]): LuComposed[] {
  return luList(composition, all);
}

/**
 * W [C, C] of its triangles. log|det W| is the sum of logScale. The gradient is fused and cannot be differentiated again.
 *
 * @throws FlowError SHAPE, DTYPE, ARGUMENT (form); NATIVE where rows is no permutation
 */
export function luCompose(triangles: LuTriangles): Tensor {
  const [{ weight, logAbsDet }] = luComposeAll([triangles]) as [LuComposed];
  logAbsDet.dispose();
  return weight;
}

/** Sums and means by axis, and their opposite: a tensor repeated along an axis. */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { checkOptions, dtype, flag, number, type Rules } from '../options';
import { checkShape, colsOf, formatShape, rowsOf, type Shape, sameShape, sizeOf } from '../shape';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { requireFloat, requireTensor } from './check';
import { apply, type OpDefinition } from './define';
import { reshape } from './reshape';

/** Mirrored by native/ops/reduce.cc. */
export const reductions = { sum: 0, mean: 1, max: 2, logSumExp: 3 } as const;

/** 0: over the rows → [C] · −1: over the channels → one value a row · left out: over all → []. */
export type Axis = 0 | -1;

export interface ReduceOptions {
  /** Type of the result. Sums are taken in float64 in either case. Default: the type of x. */
  readonly dtype?: FloatDType | undefined;
  /** Of sums and means: their negative. Default false. */
  readonly negated?: boolean;
}

export interface Reduction {
  readonly kind: keyof typeof reductions;
  readonly axis: Axis | undefined;
  /** Shape and type of what is reduced. */
  readonly shape: Shape;
  readonly from: FloatDType;
  readonly to: FloatDType;
  /** Of the result: 1 or −1. */
  readonly factor: number;
}

const expandRules = { dtype, scale: number };
const reduceRules: Rules<ReduceOptions> = { dtype, negated: flag };

/** The attributes of a reduction of x, checked. */
export function reductionOf(
  kind: Reduction['kind'],
  x: Tensor,
  axis: Axis | undefined,
  options: ReduceOptions,
): Reduction {
  checkOptions(kind, options, reduceRules);
  requireFloat(kind, 'x', x);
  if (axis !== undefined && axis !== 0 && axis !== -1) {
    throw new FlowError(
      'ARGUMENT',
      expected(kind, 'axis', '0, −1 or none', String(axis), 'reshape the tensor to two axes first'),
    );
  }
  const from = x.dtype as FloatDType;
  const factor = options.negated ? -1 : 1;
  return { kind, axis, shape: x.shape, from, to: options.dtype ?? from, factor };
}

export function reducedShape({ shape, axis }: Reduction): Shape {
  if (axis === undefined || shape.length < 2) return [];
  return axis === 0 ? [colsOf(shape)] : shape.slice(0, -1);
}

/** Kind and axis as the native ops read them, for a tensor seen as rows × cols. */
export function encodeReduction({ kind, shape, axis }: Reduction): readonly [number, number] {
  const all = axis === undefined || shape.length < 2;
  return [reductions[kind], all ? 2 : axis === 0 ? 0 : 1];
}

/** What belongs to the result of a reduction, in a shape that broadcasts to what was reduced: [N] becomes [N, 1]. */
export function unreduced(d: Tensor, { shape, axis }: Reduction): Tensor {
  return axis === -1 && shape.length > 1 ? reshape(d, [...d.shape, 1]) : d;
}

const reduceSum: OpDefinition<Reduction> = {
  name: 'reduce',
  outputs: (_inputs, attributes) => [{ shape: reducedShape(attributes), dtype: attributes.to }],
  encode: (attributes) => [...encodeReduction(attributes), attributes.factor],
  saves: { inputs: [], outputs: [] },
  vjp({ d: [dy], attributes }) {
    const { kind, shape, from, factor } = attributes;
    const terms = sizeOf(shape) / sizeOf(reducedShape(attributes));
    const scale = kind === 'mean' ? factor / terms : factor;
    return [expand(unreduced(dy as Tensor, attributes), shape, { dtype: from, scale })];
  },
};

/**
 * Sum, taken in float64 in an order that does not depend on the number of threads.
 *
 * @param x float32 or float64, seen as rows × channels
 * @param axis 0: over the rows → [C]; −1: over the channels → [N]; left out: over all → []
 */
export function sum(x: Tensor, axis?: Axis, options: ReduceOptions = {}): Tensor {
  return apply(reduceSum, [x], reductionOf('sum', x, axis, options))[0] as Tensor;
}

/** Mean; see {@link sum}. The mean of nothing is NaN. */
export function mean(x: Tensor, axis?: Axis, options: ReduceOptions = {}): Tensor {
  return apply(reduceSum, [x], reductionOf('mean', x, axis, options))[0] as Tensor;
}

interface Expansion {
  readonly from: Shape;
  readonly fromDType: FloatDType;
  readonly shape: Shape;
  readonly dtype: FloatDType;
  readonly scale: number;
}

const expandDefinition: OpDefinition<Expansion> = {
  name: 'expand',
  outputs: (_inputs, { shape, dtype }) => [{ shape, dtype }],
  encode: ({ scale }) => [scale],
  saves: { inputs: [], outputs: [] },
  vjp({ d: [dy], attributes: { from, fromDType, scale } }) {
    const d = sumTo(dy as Tensor, from, fromDType);
    return [scale === 1 ? d : expand(d, from, { scale })];
  },
};

/**
 * x repeated to a shape: x is of that shape, or one row [C], one column [N, 1] or one number of it.
 *
 * @param options.dtype type of the result, default that of x; options.scale factor, default 1
 */
export function expand(
  x: Tensor,
  shape: Shape,
  options: { dtype?: FloatDType; scale?: number } = {},
): Tensor {
  checkShape('expand', shape);
  checkOptions('expand', options, expandRules);
  requireTensor('expand', 'x', x);
  requireFloat('expand', 'x', x);
  const fits =
    (x.rows === rowsOf(shape) || x.rows === 1) && (x.cols === colsOf(shape) || x.cols === 1);
  if (!fits) {
    throw new FlowError(
      'SHAPE',
      expected(
        'expand',
        'x',
        `the shape ${formatShape(shape)}, or one row, column or number of it`,
        formatShape(x.shape),
        'reshape it first',
      ),
    );
  }
  const fromDType = x.dtype as FloatDType;
  const { dtype = fromDType, scale = 1 } = options;
  return apply(expandDefinition, [x], {
    from: x.shape,
    fromDType,
    shape,
    dtype,
    scale,
  })[0] as Tensor;
}

/** The opposite of {@link expand}: x summed to a shape that broadcasts to its own. x itself where nothing is to do. */
export function sumTo(x: Tensor, shape: Shape, dtype = x?.dtype as FloatDType): Tensor {
  requireTensor('sumTo', 'x', x);
  checkShape('sumTo', shape);
  requireTensor('sumTo', 'x', x);
  if (sameShape(x.shape, shape) && x.dtype === dtype) return x;
  return scope(() => {
    const [rows, cols] = [rowsOf(shape), colsOf(shape)];
    if (rows === x.rows && cols === x.cols) return reshape(expand(x, x.shape, { dtype }), shape);
    const matrix = x.shape.length === 2 ? x : reshape(x, [x.rows, x.cols]);
    if (rows === 1 && cols === 1) return reshape(sum(matrix, undefined, { dtype }), shape);
    return reshape(sum(matrix, rows === 1 ? 0 : -1, { dtype }), shape);
  });
}

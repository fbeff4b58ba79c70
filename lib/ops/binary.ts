/** Arithmetic of two tensors, or of a tensor and a number, with broadcasting. */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { formatShape, type Shape, sameShape } from '../shape';
import { Tensor } from '../tensor/tensor';
import { affineScalar } from './affineScalar';
import { requireFloat, requireSameDType, requireTensor } from './check';
import { apply, type OpDefinition, type VjpContext } from './define';
import { full } from './fill';
import { sumTo } from './sum';
import { where } from './where';

/** Mirrored by native/ops/binary.cc. */
const kinds = { add: 0, sub: 1, mul: 2, div: 3, maximum: 4, minimum: 5, greaterEqual: 6 } as const;
type Kind = keyof typeof kinds;

interface Attributes {
  readonly shapes: readonly [Shape, Shape];
}

function dtypeOf(tensor: Tensor): FloatDType {
  return tensor.dtype as FloatDType;
}

/**
 * The shape of the result. Either operand may be, of the other, one row [C] or [1, C], one column [N, 1], or one number;
 * a row and a column make a matrix.
 */
function broadcastShape(op: string, a: Tensor, b: Tensor): Shape {
  if (sameShape(a.shape, b.shape)) return a.shape;
  if (a.size === 1 && b.size === 1) return a.shape.length >= b.shape.length ? a.shape : b.shape;
  if (b.size === 1) return a.shape;
  if (a.size === 1) return b.shape;
  const covers = (big: Tensor, small: Tensor) =>
    big.shape.length >= small.shape.length &&
    ((small.rows === 1 && small.cols === big.cols) ||
      (small.cols === 1 && small.rows === big.rows && small.shape.length === big.shape.length));
  if (covers(a, b)) return a.shape;
  if (covers(b, a)) return b.shape;
  if (a.cols === 1 && b.rows === 1) return [...a.shape.slice(0, -1), b.cols];
  if (b.cols === 1 && a.rows === 1) return [...b.shape.slice(0, -1), a.cols];
  throw new FlowError(
    'SHAPE',
    expected(
      op,
      'b',
      `a shape that broadcasts with a: ${formatShape(a.shape)}`,
      formatShape(b.shape),
      'equal shapes, a row [C], a column [N, 1] or one number; reshape a vector [N] to [N, 1] to use it by row',
    ),
  );
}

/** Gradients by a and b, each still of the result's shape; undefined where not wanted. */
type Gradients = (context: VjpContext<Attributes>) => readonly [Tensor | null, Tensor | null];

function define(kind: Kind, saves: readonly number[], gradients: Gradients, savesOutput = false) {
  const definition: OpDefinition<Attributes> = {
    name: 'binary',
    outputs([left, right]) {
      const [a, b] = [left as Tensor, right as Tensor];
      requireFloat(kind, 'a', a);
      requireFloat(kind, 'b', b);
      requireSameDType(kind, 'b', b, a);
      return [{ shape: broadcastShape(kind, a, b), dtype: a.dtype }];
    },
    encode: () => [kinds[kind]],
    saves: { inputs: saves, outputs: savesOutput ? [0] : [] },
    vjp(context) {
      const [da, db] = gradients(context);
      const { shapes } = context.attributes;
      return [da && sumTo(da, shapes[0]), db && sumTo(db, shapes[1])];
    },
  };
  return (a: Tensor, b: Tensor): Tensor => {
    requireTensor(kind, 'a', a);
    requireTensor(kind, 'b', b);
    return apply(definition, [a, b], { shapes: [a.shape, b.shape] })[0] as Tensor;
  };
}

const tensors = {
  add: define('add', [], ({ d: [d] }) => [d as Tensor, d as Tensor]),
  sub: define('sub', [], ({ d: [d], needs }) => [
    d as Tensor,
    needs[1] ? affineScalar(d as Tensor, -1) : null,
  ]),
  mul: define('mul', [0, 1], ({ inputs: [a, b], d: [d], needs }) => [
    needs[0] ? mul(d as Tensor, b as Tensor) : null,
    needs[1] ? mul(d as Tensor, a as Tensor) : null,
  ]),
  div: define(
    'div',
    [1],
    ({ inputs: [b], outputs: [y], d: [d], needs }) => {
      const da = div(d as Tensor, b as Tensor);
      return [needs[0] ? da : null, needs[1] ? affineScalar(mul(da, y as Tensor), -1) : null];
    },
    true,
  ),
  // A tie counts for a.
  maximum: define('maximum', [0, 1], ({ inputs: [a, b], d: [d] }) =>
    routed(greaterEqual(a as Tensor, b as Tensor), d as Tensor),
  ),
  minimum: define('minimum', [0, 1], ({ inputs: [a, b], d: [d] }) =>
    routed(greaterEqual(b as Tensor, a as Tensor), d as Tensor),
  ),
  greaterEqual: define('greaterEqual', [], () => [null, null]),
};

/** d where the mask is set for a, d where it is not for b. */
function routed(mask: Tensor, d: Tensor): readonly [Tensor, Tensor] {
  const zero = full([], 0, d.dtype);
  return [where(mask, d, zero), where(mask, zero, d)];
}

type Operand = Tensor | number;

/** Both operands as tensors; a number becomes one of the other's type. */
function pair(op: string, a: Operand, b: Operand): readonly [Tensor, Tensor] {
  const other = a instanceof Tensor ? a : b;
  if (!(other instanceof Tensor)) {
    throw new FlowError(
      'ARGUMENT',
      expected(op, 'operands', 'at least one tensor', `${a} and ${b}`, 'use plain arithmetic'),
    );
  }
  const asTensor = (value: Operand) => {
    if (value instanceof Tensor) return value;
    if (typeof value !== 'number') {
      throw new FlowError(
        'ARGUMENT',
        expected(op, 'operand', 'a tensor or a number', typeof value, 'make a tensor of it'),
      );
    }
    return full([], value, dtypeOf(other));
  };
  return [asTensor(a), asTensor(b)];
}

/** a + b. Operands: equal shapes; or of one of them a row [C], a column [N, 1] or one number, also a plain one. */
export function add(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number' && a instanceof Tensor) return affineScalar(a, 1, b);
  if (typeof a === 'number' && b instanceof Tensor) return affineScalar(b, 1, a);
  return tensors.add(...pair('add', a, b));
}

/** a − b; broadcasting as in {@link add}. */
export function sub(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number' && a instanceof Tensor) return affineScalar(a, 1, -b);
  if (typeof a === 'number' && b instanceof Tensor) return affineScalar(b, -1, a);
  return tensors.sub(...pair('sub', a, b));
}

/** a · b; broadcasting as in {@link add}. */
export function mul(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number' && a instanceof Tensor) return affineScalar(a, b);
  if (typeof a === 'number' && b instanceof Tensor) return affineScalar(b, a);
  return tensors.mul(...pair('mul', a, b));
}

/** a / b; broadcasting as in {@link add}. */
export function div(a: Operand, b: Operand): Tensor {
  return tensors.div(...pair('div', a, b));
}

/** The larger of a and b, NaN where either is; the gradient goes to the larger, at a tie to a. */
export function maximum(a: Operand, b: Operand): Tensor {
  return tensors.maximum(...pair('maximum', a, b));
}

/** The smaller of a and b, NaN where either is; the gradient goes to the smaller, at a tie to a. */
export function minimum(a: Operand, b: Operand): Tensor {
  return tensors.minimum(...pair('minimum', a, b));
}

/** 1 where a ≥ b, else 0 (also at NaN), in their type: a mask for where(). Its gradient is zero. */
export function greaterEqual(a: Operand, b: Operand): Tensor {
  return tensors.greaterEqual(...pair('greaterEqual', a, b));
}

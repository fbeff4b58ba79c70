/** Checks that ops share, and the sentences that they end in. */
import { isTracked } from '../autograd/tape';
import { expected, FlowError } from '../errors';
import { checkArgument, described, list, object } from '../options';
import { formatShape } from '../shape';
import type { Tensor } from '../tensor/tensor';

/** Throws ARGUMENT unless it is a tensor, or stands for one that is to be. */
export function requireTensor(op: string, what: string, tensor: Pick<Tensor, 'dtype'>): void {
  if (!isTensor(tensor)) throw noTensor(op, what, tensor);
}

function isTensor(given: unknown): boolean {
  return typeof given === 'object' && given !== null && 'dtype' in given && 'shape' in given;
}

function noTensor(op: string, what: string, given: unknown): FlowError {
  const remedy = 'make one with tensor(values)';
  return new FlowError('ARGUMENT', expected(op, what, 'a tensor', described(given), remedy));
}

/** Throws ARGUMENT unless it is a list of tensors; with `orNull` some may be left out. */
export function requireTensors(
  op: string,
  what: string,
  tensors: readonly (Tensor | null)[],
  orNull = false,
): void {
  checkArgument(op, what, tensors, list);
  tensors.forEach((tensor, k) => {
    if (!(orNull && tensor === null) && !isTensor(tensor))
      throw noTensor(op, `${what}[${k}]`, tensor);
  });
}

/** Throws ARGUMENT unless it is a list of layers, each an object with a weight. */
export function requireLayers(
  op: string,
  layers: readonly { readonly weight: Tensor }[],
  what = 'layers',
): void {
  checkArgument(op, what, layers, list);
  layers.forEach((layer, k) => {
    if (isTensor(layer?.weight)) return;
    checkArgument(op, `${what}[${k}]`, layer, object);
    throw noTensor(op, `${what}[${k}].weight`, layer.weight);
  });
}

/** Throws DTYPE unless the tensor is float32 or float64. */
export function requireFloat(op: string, what: string, tensor: Pick<Tensor, 'dtype'>): void {
  requireTensor(op, what, tensor);
  if (tensor.dtype === 'float32' || tensor.dtype === 'float64') return;
  throw new FlowError(
    'DTYPE',
    expected(op, what, 'float32 or float64', tensor.dtype, "convert it with cast(x, 'float32')"),
  );
}

/** Throws DTYPE unless the tensors are of one type. */
export function requireSameDType(
  op: string,
  what: string,
  tensor: Pick<Tensor, 'dtype'>,
  other: Pick<Tensor, 'dtype'>,
): void {
  requireTensor(op, what, tensor);
  if (tensor.dtype === other.dtype) return;
  throw new FlowError(
    'DTYPE',
    expected(op, what, other.dtype, tensor.dtype, 'convert one of the two with cast()'),
  );
}

export function requireShape(
  op: string,
  what: string,
  tensor: Tensor,
  shape: readonly number[],
  remedy: string,
): void {
  requireTensor(op, what, tensor);
  if (tensor.shape.length === shape.length && tensor.shape.every((n, i) => n === shape[i])) return;
  throw new FlowError(
    'SHAPE',
    expected(op, what, `shape ${formatShape(shape)}`, formatShape(tensor.shape), remedy),
  );
}

/** Throws DTYPE or SHAPE unless the tensor is an int32 vector. */
export function requireIndices(op: string, indices: Tensor): void {
  requireTensor(op, 'indices', indices);
  if (indices.dtype !== 'int32') {
    throw new FlowError(
      'DTYPE',
      expected(op, 'indices', 'int32', indices.dtype, 'make them of an Int32Array'),
    );
  }
  if (indices.shape.length !== 1) {
    throw new FlowError(
      'SHAPE',
      expected(op, 'indices', 'shape [M]', formatShape(indices.shape), 'reshape them to a vector'),
    );
  }
}

/**
 * For the vjp of a fused op, which is itself no op that a tape knows: throws UNSUPPORTED where a gradient of the
 * gradient would be lost.
 */
export function refuseSecondGradient(op: string, tensors: readonly (Tensor | null)[]): void {
  if (!isTracked(tensors)) return;
  throw new FlowError(
    'UNSUPPORTED',
    expected(
      op,
      'gradient of a gradient',
      'a first gradient only',
      'a second one, by an outer valueAndGradient',
      'write the function with unfused ops (add, mul, exp, …)',
    ),
  );
}

/** The inverse of an autoregressive map of monotone families at the price of about one pass, and of its roots. */
import type { Tensor } from '../tensor/tensor';
import { requireTensor } from './check';
import type { MadeNetwork } from './madeInverse';
import { derivativesCode } from './madeInverseGrad';
import { reportedRoots } from './madeRoots';
import { encodeMonotone, type MonotoneFamily, monotoneParams } from './monotoneFamily';
import { monotoneGrad } from './monotoneGrad';
import type { MonotoneRoots } from './monotoneInverse';

/**
 * Solves y_i = f(x_i; p_i(x_<i)) for x, where the parameters come from a MADE: dimension after dimension, each hidden unit
 * computed once, as soon as the inputs that it sees are known, and the roots of a dimension found for all samples side by
 * side (D dimensions for about one forward pass and the roots; the plain way takes D passes, or one an evaluation of the
 * solver). The gradient is that of the implicit function theorem, costs about one backward pass, is fused and cannot be
 * differentiated again.
 *
 * @param y [N, D] in the order of the network's inputs
 * @param network its units sorted by degree, P outputs a feature
 * @param addend [N, H] added to the first hidden layer before its activation (the part of the context), or null
 * @returns as monotoneInverse
 * @throws FlowError SHAPE, DTYPE, ARGUMENT; NATIVE where the extents are not sorted or not autoregressive
 */
export function madeMonotoneInverse(
  y: Tensor,
  network: MadeNetwork,
  addend: Tensor | null,
  family: MonotoneFamily,
): MonotoneRoots {
  requireTensor('madeMonotoneInverse', 'y', y);
  const where = 'madeMonotoneInverse';
  const map = {
    params: monotoneParams(family),
    code: derivativesCode,
    attributes: encodeMonotone(where, family),
    grad: (x: Tensor, params: Tensor, dy: Tensor | null, dLogDet: Tensor | null) =>
      monotoneGrad(x, params, dy, dLogDet, family),
  };
  return reportedRoots(where, y, network, addend, map);
}

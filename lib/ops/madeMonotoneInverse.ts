/** The inverse of an autoregressive map of increasing functions at the price of about one pass, and of its roots. */
import { isTracked } from '../autograd/tape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { encodeActivation } from './activation';
import { add } from './binary';
import { full } from './fill';
import { inverseOperands, type MadeNetwork, recordInverse } from './madeInverse';
import { derivativesCode, type RootDerivatives } from './madeInverseGrad';
import { encodeMonotone, type MonotoneFamily, monotoneParams } from './monotoneFamily';
import { monotoneGrad } from './monotoneGrad';
import type { MonotoneRoots } from './monotoneInverse';
import { neg, reciprocal } from './unary';

/** The derivatives at the roots by the implicit function theorem: dx/dy = 1/f′, dx/dp = −(∂f/∂p)/f′. */
function derivatives(
  family: MonotoneFamily,
  x: Tensor,
  params: Tensor,
  dx: Tensor | null,
  dLogDet: Tensor | null,
): RootDerivatives {
  const slope = monotoneGrad(x, params, full(x.shape, 1, x.dtype), null, family).dx;
  const byOutput = reciprocal(slope);
  const byParams = monotoneGrad(x, params, neg(byOutput), null, family).dParams;
  // logDet of the inverse is −Σ log f′(x; p).
  const direct = dLogDet ? monotoneGrad(x, params, null, neg(dLogDet), family) : null;
  const total = dx && direct ? add(dx, direct.dx) : (dx ?? direct?.dx);
  return {
    byParams,
    byOutput,
    dx: total ?? full(x.shape, 0, x.dtype),
    dParams: direct?.dParams ?? null,
  };
}

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
  const where = 'madeMonotoneInverse';
  const encoded = encodeMonotone(where, family);
  const inputs = inverseOperands(where, y, network, addend, monotoneParams(family));
  const perSample = { shape: [y.rows] };
  const made = execute(
    'made_inverse',
    inputs,
    [
      { shape: y.shape, dtype: y.dtype },
      { ...perSample, dtype: 'float64' },
      { ...perSample, dtype: 'int32' },
      { ...perSample, dtype: 'float64' },
      { ...perSample, dtype: 'int32' },
    ],
    [
      ...encodeActivation(where, network.activation),
      ...[derivativesCode, 1, network.residual ? 1 : 0],
      ...encoded,
    ],
  );
  const [x, logDet, iterations, residual, converged] = made as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  if (isTracked(inputs)) {
    recordInverse(inputs, x, logDet, network, {
      derivatives: (root, params, dx, dLogDet) => derivatives(family, root, params, dx, dLogDet),
    });
  }
  return { x, logDet, iterations, residual, converged };
}

/** The inverse of an autoregressive spline map at the price of about one pass. */
import { isTracked } from '../autograd/tape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { encodeActivation } from './activation';
import { add } from './binary';
import { full } from './fill';
import { inverseOperands, type MadeNetwork, recordInverse } from './madeInverse';
import type { RootDerivatives } from './madeInverseGrad';
import { encodeSpline, type SplineOptions, splineGrad, splineParameters } from './spline';
import { neg, reciprocal } from './unary';

/** As in native/ops/made_inverse.cc. */
const splineCode = 17;

/** By the implicit function theorem: dx/dy = 1/f′, dx/dp = −(∂f/∂p)/f′; logDet of the inverse is −Σ log f′(x; p). */
function derivatives(
  options: SplineOptions,
  x: Tensor,
  params: Tensor,
  dx: Tensor | null,
  dLogDet: Tensor | null,
): RootDerivatives {
  const slope = splineGrad(x, params, full(x.shape, 1, x.dtype), null, options).dx;
  const byOutput = reciprocal(slope);
  const byParams = splineGrad(x, params, neg(byOutput), null, options).dParams;
  const direct = dLogDet ? splineGrad(x, params, null, neg(dLogDet), options) : null;
  const total = dx && direct ? add(dx, direct.dx) : (dx ?? direct?.dx);
  return {
    byParams,
    byOutput,
    dx: total ?? full(x.shape, 0, x.dtype),
    dParams: direct?.dParams ?? null,
  };
}

/**
 * Solves y_i = f(x_i; p_i(x_<i)) for x, f a spline whose numbers come from a MADE: dimension after dimension, each hidden unit
 * computed once, as soon as the inputs that it sees are known (D dimensions for about one forward pass; the plain way takes D
 * passes). The gradient is that of the implicit function theorem, costs about one backward pass, is fused and cannot be
 * differentiated again.
 *
 * @param y [N, D] in the order of the network's inputs
 * @param network its units sorted by degree, splineParameters(options) outputs a feature
 * @param addend [N, H] added to the first hidden layer before its activation (the part of the context), or null
 * @returns x [N, D], and logDet [N] float64 = log|det ∂x/∂y|
 * @throws FlowError SHAPE, DTYPE, ARGUMENT; NATIVE where the extents are not sorted or not autoregressive
 */
export function madeSplineInverse(
  y: Tensor,
  network: MadeNetwork,
  addend: Tensor | null,
  options: SplineOptions,
): { x: Tensor; logDet: Tensor } {
  const where = 'madeSplineInverse';
  const encoded = encodeSpline(where, options);
  const inputs = inverseOperands(where, y, network, addend, splineParameters(options));
  const [x, logDet] = execute(
    'made_inverse',
    inputs,
    [
      { shape: y.shape, dtype: y.dtype },
      { shape: [y.rows], dtype: 'float64' },
    ],
    [
      ...encodeActivation(where, network.activation),
      ...[splineCode, 1, network.residual ? 1 : 0],
      ...encoded,
    ],
  ) as [Tensor, Tensor];
  if (isTracked(inputs)) {
    recordInverse(inputs, x, logDet, network, {
      derivatives: (root, params, dx, dLogDet) => derivatives(options, root, params, dx, dLogDet),
    });
  }
  return { x, logDet };
}

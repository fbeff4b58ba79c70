/** The inverse of an autoregressive spline map at the price of about one pass. */
import type { Tensor } from '../tensor/tensor';
import type { MadeNetwork } from './madeInverse';
import { madeRoots } from './madeRoots';
import { encodeSpline, type SplineOptions, splineGrad, splineParameters } from './spline';

/** As in native/ops/made_inverse.cc. */
const splineCode = 17;

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
  const [x, logDet] = madeRoots(where, y, network, addend, {
    params: splineParameters(options),
    code: splineCode,
    attributes: encodeSpline(where, options),
    grad: (...given) => splineGrad(...given, options),
  }) as [Tensor, Tensor];
  return { x, logDet };
}

/**
 * The inverse of an autoregressive map of increasing functions at the price of about one pass, and of its roots: what splines
 * and the monotone families share.
 */
import { isTracked } from '../autograd/tape';
import { execute, type OutputSpec } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { encodeActivation } from './activation';
import { add } from './binary';
import { full } from './fill';
import {
  inverseOperands,
  type MadeNetwork,
  type OwnParameters,
  recordInverse,
} from './madeInverse';
import type { RootDerivatives } from './madeInverseGrad';
import type { MonotoneRoots } from './monotoneInverse';
import { neg, reciprocal } from './unary';

/** An increasing function f(x; p) of one number, as the solver and its gradient take it. */
export interface IncreasingMap {
  /** P: numbers of p. */
  readonly params: number;
  /** As in native/ops/made_inverse.cc. */
  readonly code: number;
  /** The attributes of the function. */
  readonly attributes: readonly number[];
  /** Its operands, behind those of the network. */
  readonly operands?: readonly (Tensor | null)[];
  /** What all dimensions share. */
  readonly own?: OwnParameters;
  /** The gradients of ⟨dy, f(x; p)⟩ + ⟨dLogDet, log f′(x; p)⟩; null: that part is left out. */
  grad(
    x: Tensor,
    params: Tensor,
    dy: Tensor | null,
    dLogDet: Tensor | null,
  ): { readonly dx: Tensor; readonly dParams: Tensor };
}

/** By the implicit function theorem: dx/dy = 1/f′, dx/dp = −(∂f/∂p)/f′; logDet of the inverse is −Σ log f′(x; p). */
function derivatives(
  { grad }: IncreasingMap,
  x: Tensor,
  params: Tensor,
  dx: Tensor | null,
  dLogDet: Tensor | null,
): RootDerivatives {
  const slope = grad(x, params, full(x.shape, 1, x.dtype), null).dx;
  const byOutput = reciprocal(slope);
  const byParams = grad(x, params, neg(byOutput), null).dParams;
  const direct = dLogDet ? grad(x, params, null, neg(dLogDet)) : null;
  const total = dx && direct ? add(dx, direct.dx) : (dx ?? direct?.dx);
  return {
    byParams,
    byOutput,
    dx: total ?? full(x.shape, 0, x.dtype),
    dParams: direct?.dParams ?? null,
  };
}

/**
 * x [N, D] and logDet [N] float64 of y [N, D], and what else the solver gives; on the tape where its operands are.
 *
 * @param more the shapes of what else: of a sample each
 */
export function madeRoots(
  where: string,
  y: Tensor,
  network: MadeNetwork,
  addend: Tensor | null,
  map: IncreasingMap,
  more: readonly OutputSpec[] = [],
): readonly Tensor[] {
  const inputs = inverseOperands(where, y, network, addend, map.params);
  const { operands = [], own } = map;
  const made = execute(
    'made_inverse',
    [...inputs, ...operands],
    [{ shape: y.shape, dtype: y.dtype }, { shape: [y.rows], dtype: 'float64' }, ...more],
    [
      ...encodeActivation(where, network.activation),
      ...[map.code, 1, network.residual ? 1 : 0],
      ...map.attributes,
    ],
  );
  const [x, logDet] = made as [Tensor, Tensor];
  if (isTracked([...inputs, ...(own?.parameters ?? [])])) {
    const step = {
      derivatives: (root: Tensor, params: Tensor, dx: Tensor | null, dLogDet: Tensor | null) =>
        derivatives(map, root, params, dx, dLogDet),
    };
    recordInverse(inputs, x, logDet, network, step, own);
  }
  return made as readonly Tensor[];
}

/** {@link madeRoots} with what the solver says of itself. */
export function reportedRoots(
  where: string,
  y: Tensor,
  network: MadeNetwork,
  addend: Tensor | null,
  map: IncreasingMap,
): MonotoneRoots {
  const shape = [y.rows];
  const [x, logDet, iterations, residual, converged] = madeRoots(where, y, network, addend, map, [
    { shape, dtype: 'int32' },
    { shape, dtype: 'float64' },
    { shape, dtype: 'int32' },
  ]) as [Tensor, Tensor, Tensor, Tensor, Tensor];
  return { x, logDet, iterations, residual, converged };
}

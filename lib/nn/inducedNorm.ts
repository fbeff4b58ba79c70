/**
 * Induced norms ‖W‖_{p→q} = max ‖Wv‖_q over ‖v‖_p = 1, for layers that are bounded in other norms than the Euclidean one. Chen et al.
 * 2019, "Residual Flows", section 3.3 and appendix D ("induced mixed norms"); the power method for p and q is Boyd's (1974):
 *
 *     u = the dual of Wv in q,   v = the dual of Wᵀu in p/(p − 1)
 *
 * raises ‖Wv‖_q/‖v‖_p with each step. Where p = 1 or q = ∞ the norm is a largest column or row, and exact.
 */
import { withoutTape } from '../autograd/tape';
import {
  abs,
  add,
  div,
  exp,
  greaterEqual,
  log,
  logSumExp,
  max,
  maximum,
  mul,
  neg,
  reshape,
  sigmoid,
  sqrt,
  square,
  sub,
  sum,
  where,
} from '../ops';
import type { Axis } from '../ops/sum';
import type { Tensor } from '../tensor/tensor';

/** p of ‖x‖_p: a number from 1 to Infinity, or a learned one, p = 1 + e^(−raw): 2 where raw [1] is 0. */
export type NormOrder = number | { readonly raw: Tensor };

/** p of what goes into a layer, q of what comes out. */
export interface LayerOrders {
  readonly domain: NormOrder;
  readonly codomain: NormOrder;
}

/** p/(p − 1). */
export function conjugate(order: NormOrder): NormOrder {
  if (typeof order !== 'number') return { raw: neg(order.raw) };
  if (order === 1) return Number.POSITIVE_INFINITY;
  return order === Number.POSITIVE_INFINITY ? 1 : order / (order - 1);
}

const exponent = (order: NormOrder): number | Tensor =>
  typeof order === 'number' ? order : add(exp(neg(order.raw)), 1);

/** 1/p; 0 of ∞. */
const reciprocal = (order: NormOrder): number | Tensor =>
  typeof order === 'number' ? 1 / order : sigmoid(order.raw);

/** log|x|, far below all that counts where x = 0. */
const logSize = (x: Tensor) => log(maximum(abs(x), 1e-30));

/** ‖·‖_p along an axis, or of all elements; differentiable by x and by a learned order. */
export function vectorNorm(x: Tensor, order: NormOrder, axis?: Axis): Tensor {
  if (order === 1) return sum(abs(x), axis);
  if (order === 2) return sqrt(maximum(sum(square(x), axis), 1e-30));
  if (order === Number.POSITIVE_INFINITY) return max(abs(x), axis);
  return exp(mul(logSumExp(mul(logSize(x), exponent(order)), axis), reciprocal(order)));
}

/** The vector of norm 1 in the conjugate order whose product with z is ‖z‖_p: sign(z)·(|z|/‖z‖_p)^(p − 1). Not differentiated. */
export function dualVector(z: Tensor, order: NormOrder): Tensor {
  return withoutTape(() => {
    const sign = sub(greaterEqual(z, 0), greaterEqual(0, z));
    if (order === 1) return sign;
    if (order === Number.POSITIVE_INFINITY) {
      const largest = mul(sign, greaterEqual(abs(z), max(abs(z))));
      return div(largest, maximum(sum(abs(largest)), 1));
    }
    const relative = sub(logSize(z), log(maximum(vectorNorm(z, order), 1e-30)));
    const lessOne = typeof order === 'number' ? order - 1 : exp(neg(order.raw));
    return mul(sign, exp(mul(relative, lessOne)));
  });
}

/** Whether ‖·‖_{p→q} is known in closed form. */
export const isClosed = ({ domain, codomain }: LayerOrders): boolean =>
  domain === 1 || codomain === Number.POSITIVE_INFINITY;

/**
 * The norm in closed form, where {@link isClosed}: the largest column in q, or the largest row in p/(p − 1). Of a convolution:
 * of the operator on images that are larger than the kernel, which a smaller image cannot exceed.
 *
 * @param weight [outputs, taps·inputs], columns in the order (ky, kx, channel)
 */
export function closedNorm(weight: Tensor, inputs: number, orders: LayerOrders): Tensor {
  const { domain, codomain } = orders;
  // What an input reaches are its weights in all rows and taps.
  return domain === 1
    ? max(vectorNorm(reshape(weight, [-1, inputs]), codomain, 0))
    : max(vectorNorm(weight, conjugate(domain), -1));
}

/**
 * How many times the norm of a matrix is exceeded by the same matrix at each of `positions`: positions^max(0, 1/q − 1/p), by Hölder's
 * inequality; 1 where p ≤ q.
 */
export function repetition({ domain, codomain }: LayerOrders, positions: number): number | Tensor {
  if (positions === 1) return 1;
  const [p, q] = [reciprocal(domain), reciprocal(codomain)];
  if (typeof p === 'number' && typeof q === 'number') return positions ** Math.max(0, q - p);
  return exp(mul(maximum(sub(q, p), 0), Math.log(positions)));
}

/** x where it is there at all; else `otherwise`. */
export const orElse = (x: Tensor, otherwise: Tensor): Tensor =>
  where(greaterEqual(max(abs(x)), 1e-30), x, otherwise);

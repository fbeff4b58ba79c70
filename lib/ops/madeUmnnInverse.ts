/** The inverse of an autoregressive map of unconstrained monotonic networks at the price of about one pass, and of its roots. */
import type { Tensor } from '../tensor/tensor';
import { type Activation, encodeActivation } from './activation';
import type { MadeNetwork } from './madeInverse';
import { type IncreasingMap, reportedRoots } from './madeRoots';
import type { MonotoneRoots } from './monotoneInverse';

/** g of f(x) = β + ∫₀ˣ g(t, h) dt, and the rule that its integral is taken by; bijections/umnnTransformer.ts has the words. */
export interface Integrand {
  /** [H1, E] of the embedding h. */
  readonly embedding: Tensor;
  /** The first [H1, 1] of t, the last [1, H]. */
  readonly layers: readonly { readonly weight: Tensor; readonly bias: Tensor | null }[];
  readonly activation: Activation;
  readonly bound: number;
  readonly leastSlope: number;
  /** (node + 1)/2 and weight/2, from x to 0, [1, Q + 1] each. */
  readonly nodes: Tensor;
  readonly weights: Tensor;
  /** Of the rule of every (Q/q)-th node [1, q + 1], for the first guess; null: none. */
  readonly coarse: Tensor | null;
}

/** As in native/ops/made_inverse.cc. */
const umnnCode = 18;

/** Whether the kernel takes so many layers. */
export const fitsUmnn = ({ layers }: Integrand): boolean => layers.length <= 16;

/**
 * Solves y_i = f(x_i; p_i(x_<i)) for x as madeMonotoneInverse does, f being an integral of a network that all dimensions share.
 *
 * @param map the derivatives of f by x and p, and those by the network's own parameters
 * @returns as monotoneInverse
 */
export function madeUmnnInverse(
  y: Tensor,
  network: MadeNetwork,
  addend: Tensor | null,
  integrand: Integrand,
  map: Pick<IncreasingMap, 'grad' | 'own'>,
): MonotoneRoots {
  const where = 'madeUmnnInverse';
  const { embedding, layers, activation, bound, leastSlope, nodes, weights, coarse } = integrand;
  const whole: IncreasingMap = {
    ...map,
    params: 1 + embedding.cols,
    code: umnnCode,
    attributes: [layers.length - 1, ...encodeActivation(where, activation), bound, leastSlope],
    operands: [
      embedding,
      ...layers.flatMap(({ weight, bias }) => [weight, bias]),
      ...[nodes, weights, coarse],
    ],
  };
  return reportedRoots(where, y, network, addend, whole);
}

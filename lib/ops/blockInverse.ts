/** The inverse of a block autoregressive network at the price of about one pass, and of its roots. */
import { expected, FlowError } from '../errors';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { requireFloat, requireLayers, requireSameDType, requireShape } from './check';
import type { MonotoneRoots } from './monotoneInverse';

/** A layer of block triangular weights. */
export interface BlockLayer {
  /** [D·units, D·units before]: positive blocks on the diagonal, what is above them is not read. */
  readonly weight: Tensor;
  /** [D·units] */
  readonly bias: Tensor | null;
}

/** As native/math/block_network.h has it. */
const mostLayers = 16;

/**
 * Solves y = σ(γ)·network(x) + σ(−γ)·x for x, the network of block triangular layers with tanh between them (De Cao et al. 2019):
 * dimension after dimension, each hidden unit computed once from the dimensions before, and the roots of a dimension found
 * for all samples side by side. The result of a sample does not depend on the others. Not differentiated: see bijections/implicit.ts.
 *
 * @param y [N, D]
 * @param layers 1 to 16, the last of one unit a dimension
 * @param gate γ [1]
 * @param addend [N, D·H1] added to the first layer, or null
 * @returns as monotoneInverse
 * @throws FlowError SHAPE, DTYPE, ARGUMENT
 */
export function blockInverse(
  y: Tensor,
  layers: readonly BlockLayer[],
  gate: Tensor,
  addend: Tensor | null = null,
): MonotoneRoots {
  requireLayers('blockInverse', layers);
  const where = 'blockInverse';
  requireFloat(where, 'y', y);
  if (layers.length < 1 || layers.length > mostLayers) {
    throw new FlowError(
      'ARGUMENT',
      expected(where, 'layers', `1 to ${mostLayers}`, `${layers.length}`, 'use fewer, wider ones'),
    );
  }
  requireSameDType(where, 'gate', gate, y);
  let before = y.cols;
  for (const [l, { weight }] of layers.entries()) {
    const units = l + 1 < layers.length ? weight.rows : y.cols;
    requireSameDType(where, `layer ${l}, weight`, weight, y);
    const remedy = 'each layer takes the units of the one before it; the last has one a dimension';
    requireShape(where, `layer ${l}, weight`, weight, [units, before], remedy);
    before = units;
  }
  const shape = [y.rows];
  const [x, logDet, iterations, residual, converged] = execute(
    'block_inverse',
    [y, addend, gate, ...layers.flatMap(({ weight, bias }) => [weight, bias])],
    [
      { shape: y.shape, dtype: y.dtype },
      { shape, dtype: 'float64' },
      { shape, dtype: 'int32' },
      { shape, dtype: 'float64' },
      { shape, dtype: 'int32' },
    ],
  ) as [Tensor, Tensor, Tensor, Tensor, Tensor];
  return { x, logDet, iterations, residual, converged };
}

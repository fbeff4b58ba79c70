/** The power series of a log-determinant log det(I + J), J the Jacobian of a network by its layers. */
import { expected, FlowError } from '../errors';
import { formatShape } from '../shape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { requireFloat, requireSameDType, requireShape } from './check';
import { type ConvGeometry, encodeConv, encodeGeometry } from './conv2dGeometry';

/** J = A_L·S_L ⋯ A_1·S_1: a linear map or a convolution, and what multiplies its inputs. */
export interface SeriesLayer {
  /** [out, in], or [out, kh·kw·in] with a geometry. */
  readonly weight: Tensor;
  /** [N·positions, in]: the slopes of the activation before the layer; null where there is none. */
  readonly slopes: Tensor | null;
  /** Of a convolution; null: a linear map of rows. */
  readonly geometry?: ConvGeometry | null;
}

export interface ResidualSeries {
  /** [N·positions, C]: Σ_k (−1)^(k−1) q_k (Jᵀ)^(k−1) v, the vector of the Neumann gradient. */
  readonly weighted: Tensor;
  /** [N] float64: Σ_k (−1)^(k−1) q_k/k · vᵀJᵏv. */
  readonly series: Tensor;
}

/**
 * With probes v of covariance I and q = 1, `series` is an estimate of log det(I + J) cut off after K terms; with q_k =
 * [k ≤ n]/P(n ≥ k) and n drawn it is unbiased (Chen et al. 2019, theorem 1), and so is the gradient of weightedᵀ·J·v with
 * `weighted` held fixed (theorem 2). What comes behind the last q_k > 0 costs nothing, also in a recorded program.
 *
 * No gradient goes through this op.
 *
 * @param v [N·positions, C] float32 or float64
 * @param q [K] or [N, K] float64
 * @param layers one at least, first to last; the last has C outputs
 * @throws FlowError SHAPE, DTYPE, ARGUMENT
 */
export function residualSeries(
  v: Tensor,
  q: Tensor,
  layers: readonly SeriesLayer[],
  positions = 1,
): ResidualSeries {
  const where = 'residualSeries';
  requireFloat(where, 'v', v);
  if (v.shape.length !== 2 || v.rows % positions !== 0 || layers.length === 0) {
    throw new FlowError(
      'SHAPE',
      expected(
        where,
        'v',
        `shape [N·${positions}, C] and at least one layer`,
        `${formatShape(v.shape)} and ${layers.length}`,
        'pass one row a position of each sample',
      ),
    );
  }
  const samples = v.rows / positions;
  if (q.dtype !== 'float64') {
    throw new FlowError(
      'DTYPE',
      expected(where, 'q', 'float64', q.dtype, "convert it with cast(q, 'float64')"),
    );
  }
  if (q.rows !== 1 && (q.rows !== samples || q.shape.length !== 2)) {
    requireShape(where, 'q', q, [samples, q.cols], 'one row for all samples, or one a sample');
  }
  const attributes: number[] = [positions];
  let inputs = v.cols;
  for (const [k, { weight, slopes, geometry }] of layers.entries()) {
    const encoded = geometry ? encodeGeometry(where, geometry) : null;
    requireSameDType(where, `weight ${k}`, weight, v);
    requireShape(
      where,
      `weight ${k}`,
      weight,
      [weight.rows, (encoded?.places ?? 1) * inputs],
      'its inputs are the outputs of the layer before',
    );
    if (slopes) {
      requireSameDType(where, `slopes ${k}`, slopes, v);
      requireShape(where, `slopes ${k}`, slopes, [v.rows, inputs], 'one number an input');
    }
    if (encoded) attributes.push(encoded.taps.length / 3, ...encodeConv(encoded));
    else attributes.push(0);
    inputs = weight.rows;
  }
  if (inputs !== v.cols) {
    throw new FlowError(
      'SHAPE',
      expected(where, 'layers', `${v.cols} outputs of the last`, `${inputs}`, 'J must be square'),
    );
  }
  const operands = layers.flatMap(({ weight, slopes }) => [weight, slopes]);
  const outputs = [
    { shape: v.shape, dtype: v.dtype },
    { shape: [samples], dtype: 'float64' as const },
  ];
  const [weighted, series] = execute('residual_series', [v, q, ...operands], outputs, attributes);
  return { weighted: weighted as Tensor, series: series as Tensor };
}

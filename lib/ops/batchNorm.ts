/** Batch normalisation as a bijection: per column, with its log-determinant and the gradient through the moments. */
import { isTracked, record } from '../autograd/tape';
import { expected, FlowError } from '../errors';
import { checkArgument, from0, object } from '../options';
import { formatShape } from '../shape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { refuseSecondGradient, requireFloat, requireSameDType, requireShape } from './check';
import { contiguous } from './reshape';

export interface Moments {
  /** float64 [C] */
  readonly mean: Tensor;
  /** float64 [C]: Σ(x − mean)²/N */
  readonly variance: Tensor;
}

/**
 * Mean and variance (with divisor N) of every column, accumulated in float64. Not differentiable: constants to a tape.
 *
 * @param x float32 or float64 [N, C], N ≥ 1
 */
export function columnMoments(x: Tensor): Moments {
  requireFloat('columnMoments', 'x', x);
  if (x.rows === 0) {
    throw new FlowError(
      'SHAPE',
      expected('columnMoments', 'x', 'at least one row', formatShape(x.shape), 'pass a batch'),
    );
  }
  const spec = { shape: [x.cols], dtype: 'float64' } as const;
  const [mean, variance] = execute('column_moments', [x], [spec, spec]) as [Tensor, Tensor];
  return { mean, variance };
}

export interface BatchNormResult {
  /** The type and shape of x. */
  readonly y: Tensor;
  /** float64 []: log|det ∂y/∂x| of each sample, the same for all: Σ_c (logGamma_c − ½ log(variance_c + eps)). */
  readonly logDet: Tensor;
}

function check(x: Tensor, logGamma: Tensor, beta: Tensor): void {
  requireFloat('batchNorm', 'x', x);
  for (const [what, tensor] of [
    ['logGamma', logGamma],
    ['beta', beta],
  ] as const) {
    requireSameDType('batchNorm', what, tensor, x);
    requireShape('batchNorm', what, tensor, [x.cols], 'one value a channel is needed');
  }
}

function normalise(
  x: Tensor,
  { mean, variance }: Moments,
  logGamma: Tensor,
  beta: Tensor,
  eps: number,
  training: boolean,
): BatchNormResult {
  for (const [what, tensor] of [
    ['mean', mean],
    ['variance', variance],
  ] as const) {
    requireShape('batchNorm', what, tensor, [x.cols], 'one value a channel is needed');
    if (tensor.dtype !== 'float64') {
      throw new FlowError(
        'DTYPE',
        expected('batchNorm', what, 'float64', tensor.dtype, 'keep the moments in float64'),
      );
    }
  }
  const [y, logDet] = execute(
    'batch_norm',
    [x, mean, variance, logGamma, beta],
    [
      { shape: x.shape, dtype: x.dtype },
      { shape: [], dtype: 'float64' },
    ],
    [eps],
  ) as [Tensor, Tensor];
  const inputs = [x, logGamma, beta];
  if (isTracked(inputs)) {
    record('batchNorm', inputs, [y, logDet], [x, mean, variance, logGamma], (saved, d, needs) => {
      const [dy, dLogDet] = [d[0] ?? null, d[1] ?? null];
      refuseSecondGradient('batchNorm', [...saved, dy, dLogDet]);
      const [savedX, savedMean, savedVariance, savedLogGamma] = saved as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      const like = (tensor: Tensor) => ({ shape: tensor.shape, dtype: tensor.dtype });
      const made = execute(
        'batch_norm_grad',
        [savedX, savedMean, savedVariance, savedLogGamma, dy, dLogDet],
        [
          needs[0] ? like(savedX) : null,
          needs[1] ? like(savedLogGamma) : null,
          needs[2] ? like(savedLogGamma) : null,
        ],
        [eps, training ? 1 : 0],
      );
      let next = 0;
      return needs.map((need) => (need ? (made[next++] as Tensor) : null));
    });
  }
  return { y, logDet };
}

/**
 * Normalises by the moments of x itself: y = (x − mean)/√(variance + eps)·exp(logGamma) + beta. The gradient goes through
 * the moments, those of y and of logDet together (docs: native/math/batch_norm.h).
 *
 * @param x float32 or float64 [N, C], N ≥ 1
 * @param logGamma, beta the type of x, [C]
 * @param eps added to the variance
 * @returns y, logDet, and the moments (constants to a tape)
 */
export function batchNormTrain(
  x: Tensor,
  logGamma: Tensor,
  beta: Tensor,
  eps: number,
): BatchNormResult & Moments {
  checkArgument('batchNormTrain', 'eps', eps, from0);
  check(x, logGamma, beta);
  const moments = columnMoments(x);
  const [gain, shift] = [contiguous(logGamma), contiguous(beta)];
  return { ...normalise(x, moments, gain, shift, eps, true), ...moments };
}

/**
 * Normalises by given moments, which are constants: what validation and density evaluation use.
 *
 * @param moments float64 [C] each
 */
export function batchNormFixed(
  x: Tensor,
  moments: Moments,
  logGamma: Tensor,
  beta: Tensor,
  eps: number,
): BatchNormResult {
  checkArgument('batchNormFixed', 'eps', eps, from0);
  checkArgument('batchNormFixed', 'moments', moments, object);
  check(x, logGamma, beta);
  return normalise(x, moments, contiguous(logGamma), contiguous(beta), eps, false);
}

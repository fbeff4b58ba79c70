/**
 * Distributions over levels 0 … L − 1: softmax, and mixtures of discretised logistics. Images and sound alike: the rows are
 * pixels or moments, the columns of x channels.
 */
import { isTracked, record } from '../autograd/tape';
import { expected, FlowError } from '../errors';
import { anything, checkArgument, checkOptions, count, type Rules } from '../options';
import { formatShape } from '../shape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import {
  refuseSecondGradient,
  requireFloat,
  requireSameDType,
  requireShape,
  requireTensor,
} from './check';
import { apply, type OpDefinition } from './define';
import { contiguous } from './reshape';

/** Mirrored by native/ops/discrete_sample.cc. */
const kinds = { categorical: 0, mixture: 1, bernoulli: 2 } as const;

/** Levels that float32 can hold. */
const mostLevels = 2 ** 24;
const mostChannels = 64;

export interface PositionsOptions {
  /** P: rows of x that one sample has, one after the other. Default 1. */
  readonly positions?: number;
}

function argument(op: string, what: string, wanted: string, got: unknown, remedy: string): never {
  throw new FlowError('ARGUMENT', expected(op, what, wanted, String(got), remedy));
}

function requireRows(op: string, what: string, tensor: Tensor, shape: string, fits: boolean): void {
  if (fits && tensor.shape.length === 2) return;
  throw new FlowError(
    'SHAPE',
    expected(op, what, `shape ${shape}`, formatShape(tensor.shape), 'a row a pixel or moment'),
  );
}

/** N of x [N·P, C]. */
function samplesOf(op: string, x: Tensor, positions: number): number {
  if (Number.isSafeInteger(positions) && positions >= 1 && x.rows % positions === 0)
    return x.rows / positions;
  return argument(
    op,
    'positions',
    `a divisor of the ${x.rows} rows`,
    positions,
    'pass the rows of one sample',
  );
}

function requireLevels(op: string, levels: number): void {
  if (Number.isSafeInteger(levels) && levels >= 2 && levels <= mostLevels) return;
  argument(op, 'levels', 'a whole number from 2 to 2^24', levels, 'pass how many values there are');
}

/**
 * Log-probability of levels under a softmax each: Σ over the rows and channels of a sample of log softmax(logits)[x],
 * stable for logits of any size, summed in float64; −∞ where x is not a level. The gradient is fused and cannot be
 * differentiated again.
 *
 * @param logits float32 or float64 [N·P, C·K]: the K logits of a channel side by side
 * @param x [N·P, C] whole numbers 0 … K − 1, of the type of logits, int32 or uint8
 * @returns float64 [N]
 */
export function categoricalLogProb(
  logits: Tensor,
  x: Tensor,
  options: PositionsOptions = {},
): Tensor {
  requireTensor('categoricalLogProb', 'x', x);
  checkOptions('categoricalLogProb', options, { positions: anything });
  const { positions = 1 } = options;
  const op = 'categoricalLogProb';
  requireFloat(op, 'logits', logits);
  if (x.dtype !== 'int32' && x.dtype !== 'uint8') requireSameDType(op, 'x', x, logits);
  requireRows(op, 'x', x, `[${logits.rows}, C]`, x.rows === logits.rows);
  requireRows(
    op,
    'logits',
    logits,
    `[N·P, ${x.cols}·K]`,
    logits.cols > 0 && logits.cols % x.cols === 0,
  );
  const attributes = [logits.cols / x.cols, positions];
  const spec = { shape: [samplesOf(op, x, positions)], dtype: 'float64' } as const;
  if (!isTracked([logits])) {
    return execute('categorical_log_prob', [logits, x], [spec, null], attributes)[0] as Tensor;
  }
  const sums = { shape: [x.rows, 2 * x.cols], dtype: logits.dtype };
  const [logProb, kept] = execute(
    'categorical_log_prob',
    [logits, x],
    [spec, sums],
    attributes,
  ) as [Tensor, Tensor];
  record(op, [logits, x], [logProb], [logits, x, kept], ([l, at, stats], d, needs) => {
    if (!needs[0]) return [null, null];
    const dy = contiguous(d[0] as Tensor);
    refuseSecondGradient(op, [l as Tensor, dy]);
    const inputs = [l as Tensor, at as Tensor, stats as Tensor, dy];
    const like = { shape: logits.shape, dtype: logits.dtype };
    return [execute('categorical_log_prob_grad', inputs, [like], attributes)[0] as Tensor, null];
  });
  kept.dispose(); // the tape has a claim of its own
  return logProb;
}

/**
 * Draws a level a channel: the smallest whose cumulated probability is above the uniform number. A function of its
 * arguments: pass the numbers of a {@link RandomStream}.
 *
 * @param logits [M, C·K] as of {@link categoricalLogProb}
 * @param uniform [M, C] in [0, 1), of the type of logits
 * @returns [M, C] whole numbers, of the type of logits; not differentiable
 */
export function categoricalSample(logits: Tensor, uniform: Tensor): Tensor {
  const op = 'categoricalSample';
  requireFloat(op, 'logits', logits);
  requireSameDType(op, 'uniform', uniform, logits);
  requireRows(op, 'uniform', uniform, `[${logits.rows}, C]`, uniform.rows === logits.rows);
  requireRows(
    op,
    'logits',
    logits,
    `[M, ${uniform.cols}·K]`,
    logits.cols > 0 && logits.cols % uniform.cols === 0,
  );
  const spec = { shape: uniform.shape, dtype: logits.dtype };
  const attributes = [kinds.categorical, logits.cols / uniform.cols, 0];
  return execute('discrete_sample', [logits, uniform], [spec], attributes)[0] as Tensor;
}

/**
 * 1 where the uniform number is below the sigmoid of the logit, else 0. A function of its arguments: pass the numbers of a
 * {@link RandomStream}.
 *
 * @param logits [M, C]
 * @param uniform [M, C] in [0, 1), of the type of logits
 * @returns [M, C] of 0 and 1, of the type of logits; not differentiable
 */
export function bernoulliSample(logits: Tensor, uniform: Tensor): Tensor {
  const op = 'bernoulliSample';
  requireFloat(op, 'logits', logits);
  requireSameDType(op, 'uniform', uniform, logits);
  requireShape(op, 'uniform', uniform, logits.shape, 'one number a logit');
  const spec = { shape: logits.shape, dtype: logits.dtype };
  return execute(
    'discrete_sample',
    [logits, uniform],
    [spec],
    [kinds.bernoulli, 2, 0],
  )[0] as Tensor;
}

export interface LogisticMixtureOptions {
  /** L. Default 256. */
  readonly levels?: number;
  /** Logarithms of scales below are raised to it, with gradient zero. Default −7, as in PixelCNN++. */
  readonly leastLogScale?: number;
}

const mixtureRules: Rules<LogisticMixtureOptions> = { levels: anything, leastLogScale: anything };

/**
 * Columns of the parameters of a mixture for x with so many channels: K·(1 + 2C + C(C − 1)/2), that is 3K for one channel
 * and 10K for three.
 */
export function logisticMixtureColumns(components: number, channels: number): number {
  checkArgument('logisticMixtureColumns', 'components', components, count);
  checkArgument('logisticMixtureColumns', 'channels', channels, count);
  return components * (1 + 2 * channels + (channels * (channels - 1)) / 2);
}

function checkMixture(
  op: string,
  params: Tensor,
  channels: number,
  { levels = 256, leastLogScale = -7 }: LogisticMixtureOptions,
): [levels: number, leastLogScale: number] {
  requireFloat(op, 'params', params);
  requireLevels(op, levels);
  if (!(leastLogScale > -80 && leastLogScale < 80)) {
    argument(op, 'leastLogScale', 'a number within ±80', leastLogScale, 'the default is −7');
  }
  if (!(channels >= 1 && channels <= mostChannels)) {
    argument(op, 'channels', `1 to ${mostChannels}`, channels, 'they are the columns of x');
  }
  const one = logisticMixtureColumns(1, channels);
  requireRows(op, 'params', params, `[N·P, K·${one}]`, params.cols > 0 && params.cols % one === 0);
  return [levels, leastLogScale];
}

interface MixtureAttributes {
  readonly levels: number;
  readonly leastLogScale: number;
  readonly positions: number;
}

const mixtureDefinition: OpDefinition<MixtureAttributes> = {
  name: 'logistic_mixture_log_prob',
  outputs: ([, x], { positions }) => [
    { shape: [(x as Tensor).rows / positions], dtype: 'float64' },
  ],
  encode: ({ levels, leastLogScale, positions }) => [levels, leastLogScale, positions],
  saves: { inputs: [0, 1], outputs: [] },
  vjp({ inputs, d, needs, attributes: { levels, leastLogScale, positions } }) {
    const [params, x] = inputs as [Tensor, Tensor];
    const dy = contiguous(d[0] as Tensor);
    refuseSecondGradient('discretizedLogisticMixtureLogProb', [params, x, dy]);
    if (!needs[0]) return [null, null];
    const like = { shape: params.shape, dtype: params.dtype };
    const attributes = [levels, leastLogScale, positions];
    const made = execute('logistic_mixture_log_prob_grad', [params, x, dy], [like], attributes);
    return [made[0] as Tensor, null];
  },
};

/**
 * Log-probability of levels under a mixture of K discretised logistics a row (Salimans et al. 2017, "PixelCNN++", eq. 2, 3):
 * with v = 2x/(L − 1) − 1 and bins of half width h = 1/(L − 1), the first and last open outwards,
 *
 *   log Σ_k π_k Π_c [σ((v_c + h − m_kc)/s_kc) − σ((v_c − h − m_kc)/s_kc)],   m_kc = μ_kc + Σ_(j<c) tanh(α_kcj)·v_j.
 *
 * The difference is computed as the product σ(b)·σ(−a)·(1 − exp(−2h/s)), exact for bins of any width. Summed over the rows of
 * a sample in float64; −∞ where x is not a level. The gradient is fused and cannot be differentiated again.
 *
 * @param params float32 or float64 [N·P, K·(1 + 2C + C(C − 1)/2)] in blocks of K columns: logits of π; means μ of channels
 *   0 … C − 1; logarithms of scales s; coefficients α of the pairs (c, j) in the order (1, 0), (2, 0), (2, 1), …
 * @param x [N·P, C] whole numbers 0 … L − 1, of the type of params
 * @returns float64 [N]
 */
export function discretizedLogisticMixtureLogProb(
  params: Tensor,
  x: Tensor,
  options: LogisticMixtureOptions & PositionsOptions = {},
): Tensor {
  checkOptions('discretizedLogisticMixtureLogProb', options, {
    ...mixtureRules,
    positions: anything,
  });
  requireTensor('discretizedLogisticMixtureLogProb', 'x', x);
  const op = 'discretizedLogisticMixtureLogProb';
  const { positions = 1 } = options;
  const [levels, leastLogScale] = checkMixture(op, params, x.cols, options);
  requireSameDType(op, 'x', x, params);
  requireRows(op, 'x', x, `[${params.rows}, C]`, x.rows === params.rows);
  samplesOf(op, x, positions);
  return apply(mixtureDefinition, [params, x], { levels, leastLogScale, positions })[0] as Tensor;
}

/**
 * Draws levels from a mixture of discretised logistics: the mixture by the first uniform number of a row, then each channel by
 * the inverse of its distribution function, rounded to its level before the next channel sees it.
 *
 * @param params [M, K·(1 + 2C + C(C − 1)/2)] as of {@link discretizedLogisticMixtureLogProb}
 * @param uniform [M, 1 + C] in [0, 1), of the type of params
 * @returns [M, C] whole numbers, of the type of params; not differentiable
 */
export function discretizedLogisticMixtureSample(
  params: Tensor,
  uniform: Tensor,
  options: LogisticMixtureOptions = {},
): Tensor {
  checkOptions('discretizedLogisticMixtureSample', options, mixtureRules);
  requireTensor('discretizedLogisticMixtureSample', 'uniform', uniform);
  const op = 'discretizedLogisticMixtureSample';
  const channels = uniform.cols - 1;
  const attributes = checkMixture(op, params, channels, options);
  requireSameDType(op, 'uniform', uniform, params);
  requireRows(op, 'uniform', uniform, `[${params.rows}, 1 + C]`, uniform.rows === params.rows);
  const spec = { shape: [params.rows, channels], dtype: params.dtype };
  return execute(
    'discrete_sample',
    [params, uniform],
    [spec],
    [kinds.mixture, ...attributes],
  )[0] as Tensor;
}

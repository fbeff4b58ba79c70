/** An affine map of channels, alike at every position of a sample: actnorm. With its log-determinant. */
import { isTracked, record } from '../autograd/tape';
import { expected, FlowError } from '../errors';
import { formatShape } from '../shape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { affineScalar } from './affineScalar';
import { add, mul, sub } from './binary';
import { requireFloat, requireShape } from './check';
import { contiguous } from './reshape';
import { expand, sum } from './sum';
import { exp } from './unary';

export interface ChannelAffineResult {
  /** The type and shape of x. */
  readonly y: Tensor;
  /** float64 [N]: ±positions·Σ logScale, the same for every sample. */
  readonly logDet: Tensor;
}

interface Way {
  readonly inverse: boolean;
  readonly positions: number;
}

/** The gradients out of plain ops, which can be differentiated again. */
function unfused(
  [x, logScale, shift]: readonly [Tensor, Tensor, Tensor],
  dy: Tensor | null,
  dLogDet: Tensor | null,
  { inverse, positions }: Way,
): readonly (Tensor | null)[] {
  const total = dLogDet && affineScalar(sum(dLogDet), inverse ? -positions : positions);
  const fromLogDet = total && expand(total, logScale.shape, { dtype: logScale.dtype as 'float64' });
  if (!dy) return [null, fromLogDet, null];
  const dx = mul(dy, exp(inverse ? affineScalar(logScale, -1) : logScale));
  const moved = inverse ? sub(x, shift) : x;
  const weighted = sum(mul(dx, moved), 0);
  const dLogScale = inverse ? affineScalar(weighted, -1) : weighted;
  return [
    dx,
    fromLogDet ? add(dLogScale, fromLogDet) : dLogScale,
    inverse ? affineScalar(sum(dx, 0), -1) : sum(dy, 0),
  ];
}

function run(x: Tensor, logScale: Tensor, shift: Tensor, way: Way): ChannelAffineResult {
  const { inverse, positions } = way;
  const op = 'channelAffine';
  requireFloat(op, 'x', x);
  for (const [what, tensor] of [
    ['logScale', logScale],
    ['shift', shift],
  ] as const) {
    requireFloat(op, what, tensor);
    requireShape(op, what, tensor, [x.cols], 'one value a channel is needed');
  }
  if (!Number.isSafeInteger(positions) || positions < 1 || x.rows % positions !== 0) {
    throw new FlowError(
      'SHAPE',
      expected(
        op,
        'x',
        `rows that are samples of ${positions} positions`,
        formatShape(x.shape),
        'reshape x to [N·positions, channels]',
      ),
    );
  }
  const held = [x, contiguous(logScale), contiguous(shift)] as const;
  const attributes = [inverse ? 1 : 0, positions];
  const [y, logDet] = execute(
    'channel_affine',
    held,
    [
      { shape: x.shape, dtype: x.dtype },
      { shape: [x.rows / positions], dtype: 'float64' },
    ],
    attributes,
  ) as [Tensor, Tensor];
  if (isTracked(held)) {
    record(op, held, [y, logDet], held, (saved, d, needs) => {
      const [dy, dLogDet] = [d[0] ?? null, d[1] ?? null];
      const operands = saved as [Tensor, Tensor, Tensor];
      if (isTracked([...operands, dy, dLogDet]))
        return unfused(operands, dy, dLogDet, way).map((made, k) => (needs[k] ? made : null));
      const made = execute(
        'channel_affine_grad',
        [...operands, dy, dLogDet],
        operands.map((tensor, k) =>
          needs[k] ? { shape: tensor.shape, dtype: tensor.dtype } : null,
        ),
        attributes,
      );
      let next = 0;
      return needs.map((need) => (need ? (made[next++] as Tensor) : null));
    });
  }
  return { y, logDet };
}

/**
 * y = x·exp(logScale) + shift, channel by channel.
 *
 * @param x float32 or float64 [N·positions, C]
 * @param logScale, shift float32 or float64 [C]
 * @param positions rows of a sample; 1 for a table
 */
export function channelAffine(
  x: Tensor,
  logScale: Tensor,
  shift: Tensor,
  positions = 1,
): ChannelAffineResult {
  return run(x, logScale, shift, { inverse: false, positions });
}

/** The way back: x = (y − shift)·exp(−logScale), in the field `y` of the result; logDet is that of this way. */
export function channelAffineInverse(
  y: Tensor,
  logScale: Tensor,
  shift: Tensor,
  positions = 1,
): ChannelAffineResult {
  return run(y, logScale, shift, { inverse: true, positions });
}

/** The residual layers of a WaveNet, with one call forward and one backward for all of them. */
import { isTracked, record } from '../autograd/tape';
import { expected, FlowError } from '../errors';
import { anything, checkOptions, type Rules, required } from '../options';
import { formatShape, requireSize } from '../shape';
import { execute, type OutputSpec } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import {
  refuseSecondGradient,
  requireFloat,
  requireLayers,
  requireSameDType,
  requireShape,
} from './check';

export interface WaveStackLayer {
  /** Samples between the two that the layer reads. */
  readonly dilation: number;
  /** [2G, 2R + C]: of the sample `dilation` before, of its own, of the condition. */
  readonly weight: Tensor;
  /** [2G]. */
  readonly bias: Tensor;
  /** [S + R, G]: rows of the skip, then of the residual, which the last layer does not have: [S, G]. */
  readonly outputWeight: Tensor;
  /** [S + R], of the last layer [S]. */
  readonly outputBias: Tensor;
}

export interface WaveStackOptions {
  /** T: samples of a sequence; the rows are whole sequences. */
  readonly length: number;
  /** [N·T, C], or null. */
  readonly condition?: Tensor | null;
}

const where = 'waveStack';
const perLayer = 4;

function weightsOf(layer: WaveStackLayer): Tensor[] {
  return [layer.weight, layer.bias, layer.outputWeight, layer.outputBias];
}

/** Checks the operands of the stack; G and S. Also of what generates by it. */
export function checkWaveLayers(
  x: Pick<Tensor, 'cols' | 'dtype'>,
  layers: readonly WaveStackLayer[],
  condition: number,
): { gated: number; skips: number } {
  const last = layers[layers.length - 1];
  if (!last) {
    throw new FlowError(
      'ARGUMENT',
      expected(where, 'layers', 'at least one', 'none', 'pass a layer'),
    );
  }
  const gated = last.outputWeight.cols;
  const skips = last.outputWeight.rows;
  for (const [l, layer] of layers.entries()) {
    const { dilation, weight, bias, outputWeight, outputBias } = layer;
    requireSize(where, `layers[${l}].dilation`, dilation, 'dilations are 1, 2, 4, …');
    for (const tensor of weightsOf(layer)) requireSameDType(where, `layers[${l}]`, tensor, x);
    const outputs = layer === last ? skips : skips + x.cols;
    requireShape(
      where,
      `layers[${l}].weight`,
      weight,
      [2 * gated, 2 * x.cols + condition],
      '2G rows of [the sample before | its own | the condition]',
    );
    requireShape(where, `layers[${l}].bias`, bias, [2 * gated], 'one number an output');
    requireShape(
      where,
      `layers[${l}].outputWeight`,
      outputWeight,
      [outputs, gated],
      'S rows of the skip, then R of the residual, which the last layer has not',
    );
    requireShape(where, `layers[${l}].outputBias`, outputBias, [outputs], 'one number an output');
  }
  return { gated, skips };
}

const waveStackRules: Rules<WaveStackOptions> = { length: required(anything), condition: anything };

/**
 * For each layer z = W·[h(t − d) | h(t) | c(t)] + b, g = tanh(z₁)·σ(z₂), skip += g·Woᵀ + bo (its first S columns),
 * h ← h + g·Woᵀ + bo (the others): van den Oord et al. 2016, "WaveNet", sections 2.2 to 2.5. Before the start of a
 * sequence h is zero. The gradient is fused: it cannot be differentiated again.
 *
 * @param x float32 or float64 [N·T, R], rows sample after sample; may be a view of some columns
 * @returns the sum of the skips [N·T, S]
 * @throws FlowError SHAPE, DTYPE, ARGUMENT
 */
export function waveStack(
  x: Tensor,
  layers: readonly WaveStackLayer[],
  options: WaveStackOptions,
): Tensor {
  requireLayers(where, layers);
  checkOptions(where, options, waveStackRules);
  const { length, condition = null } = options;
  requireFloat(where, 'x', x);
  requireSize(where, 'length', length, 'it is the number of samples of a sequence');
  if (x.shape.length !== 2 || x.rows % length !== 0) {
    throw new FlowError(
      'SHAPE',
      expected(
        where,
        'x',
        `shape [N·${length}, channels]`,
        formatShape(x.shape),
        'its rows are the samples of whole sequences: reshape it',
      ),
    );
  }
  if (condition) {
    requireSameDType(where, 'condition', condition, x);
    requireShape(where, 'condition', condition, [x.rows, condition.cols], 'one row a sample');
  }
  const { gated, skips } = checkWaveLayers(x, layers, condition?.cols ?? 0);
  const weights = layers.flatMap(weightsOf);
  const attributes = [length, ...layers.map(({ dilation }) => dilation)];
  const inputs = [x, condition, ...weights];
  const tracked = isTracked(inputs);
  const spec = (cols: number): OutputSpec => ({ shape: [x.rows, cols], dtype: x.dtype });
  // Without a tape nothing but the result is kept.
  const [skip, ...kept] = execute(
    'wave_stack',
    inputs,
    [
      spec(skips),
      ...layers.map(() => (tracked ? spec(2 * gated) : null)),
      ...layers.slice(1).map(() => (tracked ? spec(x.cols) : null)),
    ],
    attributes,
  ) as [Tensor, ...Tensor[]];
  if (!tracked) return skip;

  const count = layers.length;
  const saved = [x, ...(condition ? [condition] : []), ...weights, ...kept];
  record('waveStack', inputs, [skip], saved, (all, [dSkip], needs) => {
    refuseSecondGradient(where, [dSkip ?? null, ...all]);
    if (!dSkip) return inputs.map(() => null);
    const own = all[0] as Tensor;
    const given = condition ? (all[1] as Tensor) : null;
    const rest = all.slice(condition ? 2 : 1);
    const gates = rest.slice(perLayer * count);
    const wanted = [own, given, ...rest.slice(0, perLayer * count)].map((tensor, i) =>
      tensor && needs[i] ? { shape: tensor.shape, dtype: tensor.dtype } : null,
    );
    const made = execute(
      'wave_stack_grad',
      [
        dSkip,
        own,
        given,
        ...layers.flatMap((_, l) => [
          rest[perLayer * l] as Tensor,
          rest[perLayer * l + 2] as Tensor,
          gates[l] as Tensor,
          l === 0 ? null : (gates[count + l - 1] as Tensor),
        ]),
      ],
      wanted,
      attributes,
    );
    let next = 0;
    return wanted.map((one) => (one ? (made[next++] as Tensor) : null));
  });
  for (const tensor of kept) tensor.dispose(); // the tape has its own claims
  return skip;
}

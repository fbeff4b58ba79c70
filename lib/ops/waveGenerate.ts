/** A WaveNet run sample after sample, in one call. */
import { expected, FlowError } from '../errors';
import {
  anything,
  checkArgument,
  checkOptions,
  count,
  number,
  object,
  type Rules,
  required,
} from '../options';
import { formatShape } from '../shape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { requireFloat, requireSameDType, requireShape } from './check';
import { checkWaveLayers, type WaveStackLayer } from './waveStack';

/**
 * What a sample is, and what is drawn or found from the outputs of the network:
 * - categorical: a level 0 … L − 1; the noise is one uniform number a sample;
 * - logistic: a level, of a mixture of discretised logistics; the noise is two uniform numbers a sample;
 * - normal: x = m + max(s, least)·noise of the outputs [m | log s]; the noise is one normal number a sample;
 * - inverse: z of y = z·s + m, y in the place of the noise: the network reads z.
 */
export type WaveSampleKind = 'categorical' | 'logistic' | 'normal' | 'inverse';

/** As in native/ops/wave_generate.cc. */
const kinds: Record<WaveSampleKind, number> = {
  categorical: 0,
  logistic: 1,
  normal: 2,
  inverse: 3,
};

/** The whole network: h = input of the sample before; skips of the layers; relu; hidden; relu; last. */
export interface WaveNetworkTensors {
  /** categorical: [L + 1, R], a row a level and one for the start; else [R, 1]. */
  readonly inputWeight: Tensor;
  /** [R]; null for categorical. */
  readonly inputBias: Tensor | null;
  readonly layers: readonly WaveStackLayer[];
  /** [H, S]. */
  readonly headWeight: Tensor;
  readonly headBias: Tensor;
  /** [O, H]. */
  readonly lastWeight: Tensor;
  readonly lastBias: Tensor;
}

export interface WaveGenerateOptions {
  readonly kind: WaveSampleKind;
  /** L, for levels. Default 256. */
  readonly levels?: number;
  /** Logarithms of scales below are raised to it. Default −7. */
  readonly leastLogScale?: number;
  /** [N·T, C], or null. */
  readonly condition?: Tensor | null;
  /** [N, T₀ ≤ T]: what the sequences begin with; their noise is not read. */
  readonly given?: Tensor | null;
}

const where = 'waveGenerate';

const generateRules: Rules<WaveGenerateOptions> = {
  kind: required(anything),
  levels: count,
  leastLogScale: number,
  condition: anything,
  given: anything,
};

/**
 * Draws sequences sample after sample. Each layer keeps what it read in a queue as long as its dilation, so a sample costs
 * every layer once (Le Paine et al. 2016, "Fast Wavenet Generation Algorithm"). The sums have the order of whole passes: the
 * result is that of drawing each sample from a pass over all before, bit for bit.
 *
 * @param noise [N, T·k], k as {@link WaveSampleKind} says, of the type of the network
 * @returns [N, T], the given beginning included; not differentiable
 * @throws FlowError SHAPE, DTYPE, ARGUMENT
 */
export function waveGenerate(
  noise: Tensor,
  network: WaveNetworkTensors,
  options: WaveGenerateOptions,
): Tensor {
  checkOptions(where, options, generateRules);
  checkArgument(where, 'network', network, object);
  const { kind, levels = 256, leastLogScale = -7, condition = null, given = null } = options;
  const { inputWeight, inputBias, layers, headWeight, headBias, lastWeight, lastBias } = network;
  requireFloat(where, 'noise', noise);
  if (!Object.hasOwn(kinds, kind)) {
    const names = Object.keys(kinds).join(', ');
    throw new FlowError('ARGUMENT', expected(where, 'kind', names, kind, 'pass one of them'));
  }
  const each = kind === 'logistic' ? 2 : 1;
  const length = noise.cols / each;
  if (noise.shape.length !== 2 || !Number.isInteger(length) || length < 1) {
    const wanted = `shape [N, T·${each}]`;
    throw new FlowError(
      'SHAPE',
      expected(where, 'noise', wanted, `${noise.cols} columns`, `${each} a sample`),
    );
  }
  const channels = kind === 'categorical' ? inputWeight.cols : inputWeight.rows;
  const input = kind === 'categorical' ? [levels + 1, channels] : [channels, 1];
  requireShape(where, 'inputWeight', inputWeight, input, 'a row a level and the start, or [R, 1]');
  if (given && !(given.shape.length === 2 && given.rows === noise.rows && given.cols <= length)) {
    throw new FlowError(
      'SHAPE',
      expected(
        where,
        'given',
        `shape [${noise.rows}, up to ${length}]`,
        formatShape(given.shape),
        'it is the beginning of each sequence',
      ),
    );
  }
  if (condition) {
    const rows = noise.rows * length;
    requireShape(where, 'condition', condition, [rows, condition.cols], 'one row a sample');
  }
  const { skips } = checkWaveLayers(
    { cols: channels, dtype: noise.dtype },
    layers,
    condition?.cols ?? 0,
  );
  const hidden = headWeight.rows;
  const outputs =
    kind === 'categorical' ? levels : kind === 'logistic' ? 3 * Math.floor(lastWeight.rows / 3) : 2;
  requireShape(where, 'headWeight', headWeight, [hidden, skips], 'it reads the skips');
  requireShape(where, 'headBias', headBias, [hidden], 'one number an output');
  requireShape(where, 'lastWeight', lastWeight, [outputs, hidden], 'its outputs are as kind says');
  requireShape(where, 'lastBias', lastBias, [outputs], 'one number an output');
  if (inputBias) requireShape(where, 'inputBias', inputBias, [channels], 'one number a channel');
  const operands = [
    ...[condition, inputWeight, inputBias],
    ...[headWeight, headBias, lastWeight, lastBias, given],
  ];
  for (const tensor of operands) if (tensor) requireSameDType(where, 'network', tensor, noise);
  const weights = layers.flatMap(({ weight, bias, outputWeight, outputBias }) => [
    ...[weight, bias, outputWeight, outputBias],
  ]);
  const dilations = layers.map(({ dilation }) => dilation);
  return execute(
    'wave_generate',
    [noise, ...operands, ...weights],
    [{ shape: [noise.rows, length], dtype: noise.dtype }],
    [kinds[kind], levels, leastLogScale, length, ...dilations],
  )[0] as Tensor;
}

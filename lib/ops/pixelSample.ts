/** Draws of autoregressive networks of images, each activation computed once. */
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';

/** What an output draws of the network's numbers. */
export interface PixelDraw {
  readonly kind: 'categorical' | 'logistic' | 'bernoulli';
  readonly levels: number;
  readonly leastLogScale: number;
  /** Colours that are drawn one after the other; 1: all at once. */
  readonly groups: number;
}

/** As native/ops/pixel_sample.cc. */
const codes = { categorical: 0, logistic: 1, bernoulli: 2 } as const;

/**
 * Runs a network pixel by pixel, with caches of its maps. The network comes as lib/models/pixelGraph.ts encodes it. Not
 * differentiable.
 *
 * @param uniform [N·height·width, numbers a pixel] in [0, 1)
 * @param values [1, levels]: what the network sees for each level
 * @param operands two a node, or null
 * @returns [N·height·width, channels] levels
 */
export function pixelSample(
  uniform: Tensor,
  values: Tensor,
  { height, width, channels }: { height: number; width: number; channels: number },
  { kind, levels, leastLogScale, groups }: PixelDraw,
  { operands, attributes }: { operands: readonly (Tensor | null)[]; attributes: readonly number[] },
): Tensor {
  const spec = { shape: [uniform.rows, channels], dtype: uniform.dtype };
  const header = [height, width, groups, codes[kind], levels, leastLogScale];
  const made = execute(
    'pixel_sample',
    [uniform, values, ...operands],
    [spec],
    [...header, ...attributes],
  );
  return made[0] as Tensor;
}

/** Systems of equations whose matrix is a convolution with taps that all come before their pixel. */
import { expected, FlowError } from '../errors';
import { anything, checkOptions, flag, type Rules, required } from '../options';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { mul } from './binary';
import { refuseSecondGradient } from './check';
import {
  type ConvGeometry,
  type EncodedGeometry,
  encodeConv,
  encodeGeometry,
  geometryRules,
  requireConvWeight,
  requirePixels,
} from './conv2dGeometry';
import { conv2dGradWeight } from './conv2dGradWeight';
import { apply, type OpDefinition } from './define';
import { neg } from './unary';

export interface WavefrontOptions extends ConvGeometry {
  /** (a, b): every tap but the own pixel steps back along it, a·dy + b·dx < 0. Pixels of equal a·h + b·w are solved side by side. */
  readonly direction: readonly [number, number];
  /** Which triangle of the own pixel's matrix counts: true, channel o sees the channels i ≤ o. */
  readonly lower: boolean;
  /** Aᵀ·x = y in place of A·x = y. Default false. */
  readonly transpose?: boolean;
}

interface Attributes {
  readonly geometry: EncodedGeometry;
  readonly direction: readonly [number, number];
  readonly lower: boolean;
  readonly transpose: boolean;
}

/** 1 where a weight [C, places·C] counts: in live taps, and of the own pixel in the triangle. */
export function wavefrontMask(
  { places, taps }: EncodedGeometry,
  channels: number,
  lower: boolean,
): Float64Array {
  const mask = new Float64Array(channels * places * channels);
  for (let t = 0; t < taps.length; t += 3) {
    const [place, dy, dx] = taps.slice(t, t + 3) as [number, number, number];
    for (let o = 0; o < channels; o++)
      for (let i = 0; i < channels; i++)
        if (dy !== 0 || dx !== 0 || (lower ? i <= o : i >= o))
          mask[(o * places + place) * channels + i] = 1;
  }
  return mask;
}

const definition: OpDefinition<Attributes> = {
  name: 'wavefront_solve',
  outputs([first, second], { geometry, direction }) {
    const [y, weight] = [first as Tensor, second as Tensor];
    requirePixels('wavefrontSolve', 'y', y, geometry);
    requireConvWeight('wavefrontSolve', weight, y, y.cols, y.cols, geometry);
    const [a, b] = direction;
    let own = false;
    for (let t = 0; t < geometry.taps.length; t += 3) {
      const [, dy, dx] = geometry.taps.slice(t, t + 3) as [number, number, number];
      own ||= dy === 0 && dx === 0;
      if ((dy === 0 && dx === 0) || a * dy + b * dx < 0) continue;
      throw new FlowError(
        'ARGUMENT',
        expected(
          'wavefrontSolve',
          'taps',
          `steps back along (${a}, ${b})`,
          `(${dy}, ${dx})`,
          'leave the tap out, or turn the direction',
        ),
      );
    }
    if (!own) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'wavefrontSolve',
          'taps',
          'the own pixel among them',
          `${geometry.taps.length / 3} others`,
          'its matrix is what is solved',
        ),
      );
    }
    return [{ shape: y.shape, dtype: y.dtype }];
  },
  encode: ({ geometry, direction, lower, transpose }) => [
    ...direction,
    lower ? 1 : 0,
    transpose ? 1 : 0,
    ...encodeConv(geometry),
  ],
  saves: { inputs: [1], outputs: [0] },
  vjp({ inputs: [weight], outputs: [x], d: [dx], needs, attributes }) {
    const [w, solution, given] = [weight as Tensor, x as Tensor, dx as Tensor];
    const { geometry, lower, transpose } = attributes;
    const turned = { ...attributes, transpose: !transpose };
    const dy = apply(definition, [given, w], turned)[0] as Tensor;
    if (!needs[1]) return [dy, null];
    refuseSecondGradient('wavefrontSolve', [w, solution, given]);
    const outer = transpose
      ? conv2dGradWeight(solution, dy, geometry)
      : conv2dGradWeight(dy, solution, geometry);
    const mask = wavefrontMask(geometry, solution.cols, lower);
    const held = w.dtype === 'float32' ? Float32Array.from(mask) : mask;
    return [needs[0] ? dy : null, neg(mul(outer, tensorOfArray(held, w.shape)))];
  },
};

const wavefrontRules: Rules<WavefrontOptions> = {
  ...geometryRules,
  direction: required(anything),
  lower: required(flag),
  transpose: flag,
};

/**
 * x of A·x = y for each image: the inverse of `conv2d(x, weight, null, geometry)` where the taps step back along a direction
 * and the own pixel's matrix is triangular. Of the weight nothing else is read. The gradient by the weight cannot be
 * differentiated again, that by y can.
 *
 * @param y [images·height·width, C] float32 or float64
 * @param weight [C, kh·kw·C], columns in the order (ky, kx, channel)
 * @returns [images·height·width, C]
 * @throws FlowError SHAPE, DTYPE, ARGUMENT; NATIVE where the diagonal of the own pixel's matrix holds a zero
 */
export function wavefrontSolve(y: Tensor, weight: Tensor, options: WavefrontOptions): Tensor {
  checkOptions('wavefrontSolve', options, wavefrontRules);
  const { direction, lower, transpose = false } = options;
  const geometry = encodeGeometry('wavefrontSolve', options);
  return apply(definition, [y, weight], { geometry, direction, lower, transpose })[0] as Tensor;
}

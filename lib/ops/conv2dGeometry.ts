/** Where the taps of a convolution lie, and what its ops check alike. */
import { expected, FlowError } from '../errors';
import {
  anything,
  checkArgument,
  checkOptions,
  count,
  flag,
  list,
  type Rules,
  required,
  rule,
} from '../options';
import { formatShape, requireSize } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { requireFloat, requireSameDType } from './check';

/**
 * same: zeros all around, the kernel centred on its pixel (for an even length one more before than behind, as in PyTorch).
 * causal: zeros before, the kernel ends at its pixel.
 */
export type ConvPadding = 'same' | 'causal';

export interface ConvGeometry {
  readonly height: number;
  readonly width: number;
  /** [kh, kw]. */
  readonly kernel: readonly [number, number];
  /** Steps between taps, one number or [rows, columns]. Default 1. */
  readonly dilation?: number | readonly [number, number];
  /** One word, or [rows, columns]. Default same. */
  readonly padding?: ConvPadding | readonly [ConvPadding, ConvPadding];
  /**
   * Places in the kernel, i·kw + j rising, whose weights count; what the others hold is not read, costs nothing and has the
   * gradient zero. Default: all. See {@link rasterTaps}.
   */
  readonly taps?: readonly number[];
}

const isPair = (value: unknown) =>
  Array.isArray(value) &&
  value.length === 2 &&
  value.every((side) => Number.isSafeInteger(side) && side >= 1);

/** What each of them must be; the rest is checked where it is encoded. */
export const geometryRules: Rules<ConvGeometry> = {
  height: required(count),
  width: required(count),
  kernel: required(rule('[height, width], whole numbers ≥ 1', isPair, 'pass for instance [3, 3]')),
  dilation: anything,
  padding: anything,
  taps: list,
};

/** A geometry, checked, and as the native ops read it. */
export interface EncodedGeometry {
  readonly height: number;
  readonly width: number;
  /** Taps of the whole kernel. */
  readonly places: number;
  /** place, dy, dx of each live tap. */
  readonly taps: readonly number[];
}

/**
 * The taps of a centred kernel that come before its pixel in raster order: all rows above, and to the left in its own row.
 * Van den Oord et al. 2016, "Pixel Recurrent Neural Networks", mask A, and with `self` (the pixel too) mask B.
 */
export function rasterTaps(kernel: readonly [number, number], options: { self: boolean }) {
  checkOptions('rasterTaps', options, { self: required(flag) });
  checkArgument('rasterTaps', 'kernel', kernel, geometryRules.kernel);
  const [kh, kw] = kernel;
  const { self } = options;
  const centre = Math.floor((kh - 1) / 2) * kw + Math.floor((kw - 1) / 2);
  return Array.from({ length: centre + (self ? 1 : 0) }, (_, place) => place);
}

function pair<T extends number | string>(value: T | readonly [T, T]): readonly [T, T] {
  return typeof value === 'object' ? value : [value, value];
}

/** Steps from a pixel to its taps along one axis. */
function steps(length: number, dilation: number, padding: ConvPadding): number[] {
  const reach = (length - 1) * dilation;
  const before = padding === 'causal' ? reach : Math.floor(reach / 2);
  return Array.from({ length }, (_, i) => i * dilation - before);
}

/** @throws FlowError ARGUMENT */
export function encodeGeometry(where: string, geometry: ConvGeometry): EncodedGeometry {
  const { height, width, kernel } = geometry;
  const dilation = pair(geometry.dilation ?? 1);
  const padding = pair<ConvPadding>(geometry.padding ?? 'same');
  const sizes: [string, number][] = [
    ['height', height],
    ['width', width],
    ['kernel[0]', kernel[0]],
    ['kernel[1]', kernel[1]],
    ['dilation[0]', dilation[0]],
    ['dilation[1]', dilation[1]],
  ];
  for (const [what, size] of sizes) requireSize(where, what, size);
  for (const word of padding) {
    if (word !== 'same' && word !== 'causal') {
      throw new FlowError(
        'ARGUMENT',
        expected(where, 'padding', 'same or causal', String(word), 'pass one of these words'),
      );
    }
  }
  const [kh, kw] = kernel;
  const places = kh * kw;
  const live = geometry.taps ?? Array.from({ length: places }, (_, place) => place);
  const rising = live.every(
    (place, k) =>
      Number.isInteger(place) && place >= 0 && place < places && place > (live[k - 1] ?? -1),
  );
  if (!rising) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        where,
        'taps',
        `rising places from 0 to ${places - 1}`,
        formatShape(live),
        'the place of tap (i, j) is i·kw + j',
      ),
    );
  }
  const rows = steps(kh, dilation[0], padding[0]);
  const columns = steps(kw, dilation[1], padding[1]);
  const taps = live.flatMap((place) => [
    place,
    rows[Math.floor(place / kw)] as number,
    columns[place % kw] as number,
  ]);
  return { height, width, places, taps };
}

/** Attributes of the native ops: native/ops/conv2d.h. */
export function encodeConv(
  { height, width, places, taps }: EncodedGeometry,
  [code, parameter]: readonly [number, number] = [0, 0],
): readonly number[] {
  return [height, width, places, code, parameter, ...taps];
}

/** What the shape rules ask of the pixels: a tensor, or one that is yet to be made. */
export type PixelTensor = Pick<Tensor, 'shape' | 'dtype' | 'rows' | 'cols'>;

/** Throws unless the rows are pixels of whole images. */
export function requirePixels(
  where: string,
  what: string,
  tensor: PixelTensor,
  { height, width }: EncodedGeometry,
): void {
  requireFloat(where, what, tensor);
  if (tensor.shape.length < 2 || tensor.rows % (height * width) !== 0) {
    throw new FlowError(
      'SHAPE',
      expected(
        where,
        what,
        `shape [images·${height}·${width}, channels]`,
        formatShape(tensor.shape),
        'its rows are the pixels of whole images, channels last: reshape it',
      ),
    );
  }
}

/** Throws unless the weight is [outputs, places·inputs]. */
export function requireConvWeight(
  where: string,
  weight: Tensor,
  like: PixelTensor,
  outputs: number | null,
  inputs: number | null,
  { places }: EncodedGeometry,
): void {
  requireSameDType(where, 'weight', weight, like);
  const fits =
    weight.shape.length === 2 &&
    weight.rows === (outputs ?? weight.rows) &&
    (inputs === null ? weight.cols % places === 0 : weight.cols === places * inputs);
  if (fits) return;
  throw new FlowError(
    'SHAPE',
    expected(
      where,
      'weight',
      `shape [${outputs ?? 'out'}, taps·in] = [${outputs ?? 'out'}, ${places}·${inputs ?? 'in'}]`,
      formatShape(weight.shape),
      'its columns are (ky, kx, channel), the channel fastest',
    ),
  );
}

/**
 * Periodic convolutions: Hoogeboom, van den Berg, Welling 2019, "Emerging Convolutions for Generative Normalizing Flows", section
 * 4.1. Where the image wraps around its edges, the Fourier transform takes a convolution apart into one complex matrix of
 * the channels a frequency: the log-det is the sum of theirs, the inverse a solution in each.
 *
 * The transform goes along the rows of the image and then along its columns, each a product with the matrix of so short a transform: 2·P·(W + 2H)
 * multiplications for P pixels of a channel, at the speed of any product. docs/benchmarks.md has what a fast transform would change.
 */
import { pullback } from '../autograd/gradient';
import { isTracked, record, withoutTape } from '../autograd/tape';
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { claimElements, zeros } from '../nn/initialization';
import type { Config } from '../nn/module';
import { orthogonal } from '../nn/orthogonal';
import { register } from '../nn/registry';
import {
  batchInverse,
  batchLogAbsDet,
  blockMatmul,
  cast,
  concatColumns,
  conv2d,
  expand,
  gatherColumns,
  matmul,
  mul,
  neg,
  RandomStream,
  reshape,
  sub,
  sum,
} from '../ops';
import { refuseSecondGradient } from '../ops/check';
import { checkOptions, count, dtype, flag, image, type Rules, required, seed } from '../options';
import type { ImageShape } from '../shape';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';
import { requireImage } from './positions';

export interface PeriodicConvOptions {
  readonly image: ImageShape;
  /** d, odd; default 3. */
  readonly kernel?: number;
  /** Whether a learned bias, which starts at 0, is added; default false. */
  readonly bias?: boolean;
  /** Of the random rotation of the channels that the map starts near. */
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

/** Deviation of the weights beside the own pixel at the start. */
const startDeviation = 0.02;

/** What does not depend on the weights: indices of columns, and the matrices of the transform. */
interface Constants {
  /** Columns of an image with `reach` pixels of the other side around it, and of its middle. */
  readonly padded: Tensor;
  readonly middle: Tensor;
  /** [pixel, channel] → [channel, pixel], and back. */
  readonly planes: Tensor;
  readonly pixels: Tensor;
  /** [channel, h, part, x] → [channel, x, part, h], and back; parts are the real and the imaginary one. */
  readonly byColumn: Tensor;
  readonly byRow: Tensor;
  /** [channel, x, part, y] → [frequency, part, channel], and back. */
  readonly byFrequency: Tensor;
  readonly byChannel: Tensor;
  /** Of real rows, [W, 2·half], and back; of complex columns, [2H, 2H], and back; of the map's type. */
  readonly rows: Tensor;
  readonly rowsBack: Tensor;
  readonly columns: Tensor;
  readonly columnsBack: Tensor;
  /** cos and sin of the phase of each tap, [F, d²] float64. */
  readonly cos: Tensor;
  readonly sin: Tensor;
  /** [F] float64: of each frequency half of how often it counts: the image is real, so half of them are enough. */
  readonly counts: Tensor;
  /** weight [(output, tap, input)] → [tap, (output, input)]; [Re | Im | −Im] → ((part, output), (part, input)). */
  readonly byTap: Tensor;
  readonly embedding: Tensor;
}

const int32 = (values: readonly number[]) =>
  tensorOfArray(Int32Array.from(values), [values.length]);
const range = (count: number) => Array.from({ length: count }, (_, k) => k);
/** The permutation that undoes another. */
function inverted(order: readonly number[]): number[] {
  const back = order.slice();
  for (const [k, from] of order.entries()) back[from] = k;
  return back;
}

function constantsOf(image: ImageShape, side: number, dtype: FloatDType): Constants {
  const { height, width, channels } = image;
  const pixels = height * width;
  const reach = (side - 1) / 2;
  const half = Math.floor(width / 2) + 1;
  const frequencies = height * half;
  const wrap = (at: number, extent: number) => ((at % extent) + extent) % extent;
  const around = range(height + 2 * reach).flatMap((h) =>
    range(width + 2 * reach).flatMap((w) =>
      range(channels).map(
        (c) => (wrap(h - reach, height) * width + wrap(w - reach, width)) * channels + c,
      ),
    ),
  );
  const inside = range(height).flatMap((h) =>
    range(width).flatMap((w) =>
      range(channels).map((c) => ((h + reach) * (width + 2 * reach) + w + reach) * channels + c),
    ),
  );
  const planes = range(channels).flatMap((c) => range(pixels).map((p) => p * channels + c));
  const byColumn = range(channels).flatMap((c) =>
    range(half).flatMap((x) =>
      [0, 1].flatMap((part) => range(height).map((h) => ((c * height + h) * 2 + part) * half + x)),
    ),
  );
  const byFrequency = range(frequencies).flatMap((f) =>
    [0, 1].flatMap((part) =>
      range(channels).map(
        (c) => ((c * half + (f % half)) * 2 + part) * height + Math.floor(f / half),
      ),
    ),
  );
  const phase = (f: number, h: number, w: number) => {
    const [y, x] = [Math.floor(f / half), f % half];
    // Whole turns are taken out before the angle is: exact.
    return 2 * Math.PI * (((y * h) % height) / height + ((x * w) % width) / width);
  };
  /** A column that is its own mirror image counts once. */
  const times = (f: number) => (f % half === 0 || 2 * (f % half) === width ? 1 : 2);
  /** The angle of place p at frequency f of a transform of that length, whole turns taken out. */
  const angle = (p: number, f: number, length: number) =>
    (2 * Math.PI * ((p * f) % length)) / length;
  const along = new Float64Array(width * 2 * half);
  const alongBack = new Float64Array(2 * half * width);
  for (let p = 0; p < width; p++)
    for (let x = 0; x < half; x++) {
      const [cos, sin] = [Math.cos(angle(p, x, width)), Math.sin(angle(p, x, width))];
      along[p * 2 * half + x] = cos;
      along[(p * 2 + 1) * half + x] = -sin;
      alongBack[x * width + p] = (times(x) * cos) / width;
      alongBack[(half + x) * width + p] = (-times(x) * sin) / width;
    }
  // (Re, Im) · e^(∓iφ) as a real matrix of twice the size.
  const down = (sign: number, factor: number) => {
    const matrix = new Float64Array(4 * height * height);
    for (let p = 0; p < height; p++)
      for (let y = 0; y < height; y++) {
        const cos = factor * Math.cos(angle(p, y, height));
        const sin = sign * factor * Math.sin(angle(p, y, height));
        const at = (part: number, to: number) => ((part * height + p) * 2 + to) * height + y;
        matrix[at(0, 0)] = cos;
        matrix[at(0, 1)] = sin;
        matrix[at(1, 0)] = -sin;
        matrix[at(1, 1)] = cos;
      }
    return matrix;
  };
  const taps = side ** 2;
  const phases = range(frequencies).flatMap((f) =>
    range(taps).map((t) => phase(f, Math.floor(t / side) - reach, (t % side) - reach)),
  );
  const square = channels ** 2;
  const held = (values: Float64Array, shape: readonly number[], type: FloatDType) =>
    tensorOfArray(type === 'float32' ? Float32Array.from(values) : values, shape);
  return {
    padded: int32(around),
    middle: int32(inside),
    planes: int32(planes),
    pixels: int32(inverted(planes)),
    byColumn: int32(byColumn),
    byRow: int32(inverted(byColumn)),
    byFrequency: int32(byFrequency),
    byChannel: int32(inverted(byFrequency)),
    rows: held(along, [width, 2 * half], dtype),
    rowsBack: held(alongBack, [2 * half, width], dtype),
    columns: held(down(-1, 1), [2 * height, 2 * height], dtype),
    columnsBack: held(down(1, 1 / height), [2 * height, 2 * height], dtype),
    cos: held(Float64Array.from(phases, Math.cos), [frequencies, taps], 'float64'),
    sin: held(Float64Array.from(phases, Math.sin), [frequencies, taps], 'float64'),
    counts: held(
      Float64Array.from(range(frequencies), (f) => times(f) / 2),
      [frequencies],
      'float64',
    ),
    byTap: int32(
      range(taps).flatMap((t) =>
        range(channels).flatMap((o) => range(channels).map((i) => (o * taps + t) * channels + i)),
      ),
    ),
    // [[Re, −Im], [Im, Re]]
    embedding: int32(
      [0, 1].flatMap((part) =>
        range(channels).flatMap((o) =>
          [0, 1].flatMap((other) => {
            const which = part === other ? 0 : part === 1 ? 1 : 2;
            return range(channels).map((i) => which * square + o * channels + i);
          }),
        ),
      ),
    ),
  };
}

const periodicConvRules: Rules<PeriodicConvOptions> = {
  image: required(image),
  kernel: count,
  bias: flag,
  seed,
  dtype,
};

/** y = A x + b, A a convolution of an image that wraps around its edges. Both directions are a few products. */
export class PeriodicConv extends Bijection {
  override readonly features: number;
  readonly image: ImageShape;
  readonly kernel: number;
  readonly seed: number;
  readonly dtype: FloatDType;
  /** [C, d²·C], columns in the order (ky, kx, channel). */
  readonly weight: Tensor;
  /** [C], or null. */
  readonly bias: Tensor | null;
  readonly #constants: Constants;

  constructor(options: PeriodicConvOptions) {
    super();
    checkOptions('PeriodicConv', options, periodicConvRules);
    const { image, kernel = 3, bias = false, seed = 0, dtype = 'float32' } = options;
    requireImage('PeriodicConv', image);
    if (!(Number.isSafeInteger(kernel) && kernel >= 1 && kernel % 2 === 1)) {
      throw new FlowError(
        'ARGUMENT',
        expected('PeriodicConv', 'kernel', 'an odd side', String(kernel), 'pass 3 or 5'),
      );
    }
    const { height, width, channels } = image;
    this.image = { height, width, channels };
    this.features = height * width * channels;
    this.kernel = kernel;
    this.seed = seed;
    this.dtype = dtype;
    const places = kernel ** 2;
    claimElements(channels * places * channels + 8 * height * height + 4 * width * width);
    const stream = new RandomStream(seed);
    const start = scope(() => {
      const values = Float64Array.from(
        stream.normal([channels * places * channels], 'float64').dataSync(),
        (value) => startDeviation * value,
      );
      const rotation = orthogonal(stream, channels).dataSync();
      for (let o = 0; o < channels; o++)
        for (let i = 0; i < channels; i++) {
          const at = (o * places + (places - 1) / 2) * channels + i;
          values[at] = rotation[o * channels + i] as number;
        }
      return values;
    });
    stream.dispose();
    const held = dtype === 'float32' ? Float32Array.from(start) : start;
    this.weight = this.parameter('weight', tensorOfArray(held, [channels, places * channels]));
    this.bias = bias ? this.parameter('bias', zeros([channels], dtype)) : null;
    this.#constants = scope(() => constantsOf(this.image, kernel, dtype));
    for (const tensor of Object.values(this.#constants)) this.own(tensor);
  }

  /** A·x by the convolution of the padded image. */
  #convolved(x: Tensor, weight: Tensor): Tensor {
    const { height, width, channels } = this.image;
    const { padded, middle } = this.#constants;
    const [tall, wide] = [height + this.kernel - 1, width + this.kernel - 1];
    const around = reshape(gatherColumns(x, padded), [x.rows * tall * wide, channels]);
    const kernel = [this.kernel, this.kernel] as const;
    const y = conv2d(around, weight, this.bias, { height: tall, width: wide, kernel });
    return gatherColumns(reshape(y, [x.rows, tall * wide * channels]), middle);
  }

  /** The matrix of each frequency as a real one of twice the size, [F·2C, 2C] float64. */
  #matrices(): Tensor {
    const { channels } = this.image;
    const { cos, sin, byTap, embedding } = this.#constants;
    const places = this.kernel ** 2;
    const flat = reshape(cast(this.weight, 'float64'), [1, this.weight.size]);
    const taps = reshape(gatherColumns(flat, byTap), [places, channels ** 2]);
    const imaginary = matmul(sin, taps);
    const parts = concatColumns([matmul(cos, taps), imaginary, neg(imaginary)]);
    return reshape(gatherColumns(parts, embedding), [cos.rows * 2 * channels, 2 * channels]);
  }

  /** The embedding doubles the log-det of each frequency, `counts` halves it. */
  #logDet(byFrequency: Tensor, samples: number, sign: number): Tensor {
    return expand(sum(mul(byFrequency, this.#constants.counts)), [samples], { scale: sign });
  }

  /** A⁻¹·y, or A⁻ᵀ·y, given the inverses. */
  #unmixed(y: Tensor, inverses: Tensor, transpose: boolean): Tensor {
    const { height, width, channels } = this.image;
    const { planes, pixels, byColumn, byRow, byFrequency, byChannel, cos } = this.#constants;
    const { rows, rowsBack, columns, columnsBack } = this.#constants;
    const samples = y.rows;
    /** The numbers of each sample in another order, cut into rows for a product. */
    const turned = (x: Tensor, order: Tensor, cols: number, matrix: Tensor) => {
      const whole = reshape(x, [samples, x.size / samples]);
      return matmul(reshape(gatherColumns(whole, order), [x.size / cols, cols]), matrix);
    };
    const columnwise = turned(turned(y, planes, width, rows), byColumn, 2 * height, columns);
    const spectrum = reshape(columnwise, [samples, channels * 2 * cos.rows]);
    const solved = blockMatmul(gatherColumns(spectrum, byFrequency), inverses, cos.rows, {
      transpose,
    });
    const back = turned(solved, byChannel, 2 * height, columnsBack);
    const made = turned(back, byRow, rows.cols, rowsBack);
    return gatherColumns(reshape(made, [samples, y.cols]), pixels);
  }

  /** A⁻¹·y on the tape: the gradient by the weight is that of the implicit function theorem. */
  #solve(y: Tensor): Inverse {
    const { weight } = this;
    return scope(() => {
      const tracked = isTracked([y, weight]);
      const { x, inverses, byFrequency } = withoutTape(() => {
        // Rows: x' = y'·A⁻ᵀ.
        const { inverseTransposed, logAbsDet } = batchInverse(this.#matrices());
        const found = cast(inverseTransposed, this.dtype);
        return { x: this.#unmixed(y, found, false), inverses: found, byFrequency: logAbsDet };
      });
      if (!tracked) return { x, logDet: this.#logDet(byFrequency, y.rows, -1) };
      record('periodicSolve', [y, weight], [x], [x, inverses, weight], (saved, [dx], needs) => {
        if (!dx) return [null, null];
        const [itsX, itsInverses, itsWeight] = saved as [Tensor, Tensor, Tensor];
        refuseSecondGradient('PeriodicConv', [itsX, itsWeight, dx]);
        return scope(() => {
          const dy = this.#unmixed(dx, itsInverses, true);
          if (!needs[1]) return [dy, null];
          const { gradients } = pullback(
            (watch) => {
              watch(itsWeight);
              return { outputs: [this.#convolved(itsX, itsWeight)], by: [itsWeight] };
            },
            [neg(dy)],
          );
          return [needs[0] ? dy : null, gradients[0] ?? null];
        });
      });
      return { x, logDet: this.#logDet(batchLogAbsDet(this.#matrices()), y.rows, -1) };
    });
  }

  protected override mapForward(x: Tensor): Forward {
    return scope(() => ({
      y: this.#convolved(x, this.weight),
      logDet: this.#logDet(batchLogAbsDet(this.#matrices()), x.rows, 1),
    }));
  }

  protected override mapInverse(y: Tensor): Inverse {
    return scope(() => {
      const { height, width, channels } = this.image;
      const given = this.bias
        ? reshape(sub(reshape(y, [y.rows * height * width, channels]), this.bias), y.shape)
        : y;
      return this.#solve(given);
    });
  }

  config(): Config {
    const { image, kernel, seed, dtype } = this;
    const bias = this.bias !== null;
    return { kind: 'periodicConv', image: { ...image }, kernel, bias, seed, dtype };
  }
}

register<PeriodicConvOptions & Config & { kind: 'periodicConv' }>(
  'periodicConv',
  (config) => new PeriodicConv(config),
);

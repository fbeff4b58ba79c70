/**
 * Steps that climb log p, feature by feature of a length that does not depend on how steep log p is: those of Adam (Kingma, Ba 2015),
 * a running mean of the gradient over the root of that of its square. The curvature along the features of a trained flow goes over
 * twelve powers of ten, and log p has edges (the logistic prior): steps along the gradient itself, however their length is
 * found, zigzag across them. Each row keeps the best place that it has seen; where log p is no number it goes back there, with
 * steps half as long.
 */
import type { FloatDType } from '../dtype';
import {
  add,
  affineScalar,
  cast,
  clamp,
  copyInto,
  div,
  full,
  greaterEqual,
  maximum,
  minimum,
  mul,
  type RandomStream,
  reshape,
  sqrt,
  where,
} from '../ops';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import type { Flow } from './flow';
import { slopesOf } from './slopes';

/** log p [N] float64 of rows in the model's space, and its gradient [N, D]. */
export function scoreOf(
  flow: Flow,
  z: Tensor,
  context: Tensor | null,
): { logProb: Tensor; gradient: Tensor } {
  return scope(() => {
    const { values, gradient } = slopesOf(z, () => {
      const { y, logDet } = flow.bijection.forward(z, flow.conditions(context));
      return add(flow.base.logProb(y), logDet);
    });
    return { logProb: values, gradient };
  });
}

/** What is held, and within which bounds the rest moves. */
export interface Held {
  /** [N, D]: 1 at features that are known. */
  readonly mask: Tensor;
  /** [N, D]: their values. */
  readonly fixed: Tensor;
  /** Rows [1, D]. */
  readonly bounds: readonly [Tensor, Tensor] | null;
}

/** `moved`, within the bounds, and `fixed` where that is known. */
export function project({ mask, fixed, bounds }: Held, moved: Tensor): Tensor {
  const inside = bounds ? maximum(minimum(moved, bounds[1]), bounds[0]) : moved;
  return where(mask, fixed, inside);
}

const beta1 = 0.9;
const beta2 = 0.99;
/** Slopes below, beside those of others, are none. */
const epsilon = 1e-12;
/** The square of a larger slope has no float32. */
const steepest = 1e18;

/** The rows of one climb, and what is known of the way that each has come. */
export class Ascent {
  /** The best place of each row, [N, D], and log p there, [N, 1] float64. */
  readonly best: Tensor;
  readonly logProb: Tensor;
  /** [N, D]: where each row stands. */
  readonly #z: Tensor;
  readonly #mean: Tensor;
  readonly #square: Tensor;
  /** [N, 1]: 1, less for rows that came to places without a number. */
  readonly #factor: Tensor;
  /** [1, 1]: of the step, and of its noise. */
  readonly #rate: Tensor;
  readonly #kick: Tensor;

  /** @param z [N, D] in the model's space */
  constructor(
    readonly flow: Flow,
    z: Tensor,
    readonly context: Tensor | null,
    readonly held: Held,
  ) {
    const own = (value: number, shape: readonly number[], dtype: FloatDType) =>
      scope(() => full(shape, value, dtype).alias());
    const { dtype } = flow;
    const rows = [z.rows, 1];
    this.best = scope(() => add(z, 0).alias());
    this.#z = scope(() => add(z, 0).alias());
    this.logProb = own(-Infinity, rows, 'float64');
    this.#mean = own(0, z.shape, dtype);
    this.#square = own(0, z.shape, dtype);
    this.#factor = own(1, rows, dtype);
    this.#rate = own(0, [1, 1], dtype);
    this.#kick = own(0, [1, 1], dtype);
  }

  /** Before step i = 0, 1, …: how long it is, and its noise. */
  aim(i: number, length: number, noise: number): void {
    const write = (tensor: Tensor, value: number) =>
      tensor.write(tensor.dtype === 'float32' ? Float32Array.of(value) : Float64Array.of(value));
    // The running means start at zero: Adam's correction.
    write(this.#rate, (length * Math.sqrt(1 - beta2 ** (i + 1))) / (1 - beta1 ** (i + 1)));
    write(this.#kick, noise * length);
  }

  /** One step of all rows: instructions only, so that it can be recorded. @param noise null for none */
  step(noise: RandomStream | null): void {
    const { dtype } = this.flow;
    const z = this.#z;
    scope(() => {
      const gradient = this.look();
      const slope = clamp(gradient, -steepest, steepest);
      const mean = add(affineScalar(this.#mean, beta1), affineScalar(slope, 1 - beta1));
      const square = add(
        affineScalar(this.#square, beta2),
        affineScalar(mul(slope, slope), 1 - beta2),
      );
      copyInto(this.#mean, mean);
      copyInto(this.#square, square);
      let step = mul(div(mean, affineScalar(sqrt(square), 1, epsilon)), this.#rate);
      if (noise) step = add(step, mul(noise.normal(z.shape, dtype), this.#kick));
      copyInto(z, project(this.held, add(z, mul(step, this.#factor))));
    });
  }

  /** Scores the rows where they stand, and keeps the best; those without a number go back. @returns the gradient, without NaN */
  look(): Tensor {
    const { dtype } = this.flow;
    const z = this.#z;
    return scope(() => {
      const { logProb, gradient } = scoreOf(this.flow, z, this.context);
      const here = reshape(logProb, [z.rows, 1]);
      const better = greaterEqual(here, this.logProb);
      copyInto(this.best, where(cast(better, dtype), z, this.best));
      copyInto(this.logProb, where(better, here, this.logProb));
      const number = cast(greaterEqual(here, full([1, 1], -1e300, 'float64')), dtype);
      copyInto(z, where(number, z, this.best));
      copyInto(this.#factor, where(number, this.#factor, affineScalar(this.#factor, 0.5)));
      const known = mul(greaterEqual(gradient, full([1, 1], -Infinity, dtype)), number);
      return where(known, gradient, full([1, 1], 0, dtype));
    });
  }

  dispose(): void {
    for (const tensor of [
      ...[this.best, this.logProb, this.#z, this.#mean, this.#square],
      ...[this.#factor, this.#rate, this.#kick],
    ])
      tensor.dispose();
  }
}

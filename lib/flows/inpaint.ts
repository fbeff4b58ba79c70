/**
 * Inpainting: the known features of a row are held, the others climb log p. Dinh, Krueger and Bengio, "NICE", 2015, section 5.2:
 *
 *     x_H ← x_H + α_i (∂log p(x_O, x_H)/∂x_H + ε),   ε ~ N(0, I),   α_i = 10/(100 + i)
 *
 * projected to the interval of the data after each step. The climb is in the space that the chain is trained in (after the
 * preprocessing, where papers quote log p), so that a pixel of 256 levels and one in [0, 1] take the same steps. Where the
 * interval is longer there than 1, as after a logit, the steps are as many times longer.
 *
 * The paper's steps leave a flow whose scales are sharp at once: a curvature of e^14, as trained NICEs have, bears steps of 1e-6. So the
 * steps are those of ascent.ts, as long as a part of the interval however steep log p is, and ever shorter; the paper's are
 * those of the option `stepSize`.
 */
import { expected, FlowError } from '../errors';
import {
  add,
  affineScalar,
  cast,
  copyInto,
  full,
  mean,
  mul,
  RandomStream,
  sub,
  where,
} from '../ops';
import { isTable, type Rows, rowsTensor } from '../tensor/input';
import { type Program, record } from '../tensor/program';
import { keep, scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Ascent, type Held, project, scoreOf } from './ascent';
import { contextRows } from './context';
import type { Flow } from './flow';

export interface InpaintOptions {
  /** One row for all, or one a row. */
  readonly context?: Rows | null;
  /** Default 500. */
  readonly iterations?: number;
  /**
   * α of iteration i = 0, 1, …, for an interval of length 1: the paper's steps along the gradient with (i) => 10/(100 + i), taken
   * whatever becomes of log p. Default: steps of the features' own, which fall from a twentieth of the interval to 0; each row
   * keeps the best place that it comes to.
   */
  readonly stepSize?: (iteration: number) => number;
  /**
   * Deviation of the noise that is added to each step, in lengths of the step: it falls with them (annealing), and finds other
   * modes; default 0, the climb to a mode near the start. With `stepSize`: factor of ε, default 1, the paper's.
   */
  readonly noise?: number;
  /** Interval of the data. Default: 0 to levels where the flow dequantises, else none. */
  readonly range?: readonly [number, number];
  /** Of the start and the noise. Default 0. */
  readonly seed?: number;
  /** Round dequantised data down to integers. Default true where the flow has a dequantisation. */
  readonly quantize?: boolean;
  /** Told after each iteration the mean log p, in the model's space. */
  readonly onIteration?: (iteration: number, logProb: number) => void;
  readonly signal?: AbortSignal;
}

export interface Inpainted {
  /** [N, D] in the data's space; known features as they were given. */
  readonly x: Tensor;
  /** [N] float64: log p of the rows in the model's space; with `stepSize` before the last step. */
  readonly logProb: Tensor;
}

/** Of the interval: the first step of a feature; the last is 0, by half a cosine. */
const longestStep = 0.05;

/** The event loop gets a turn at least so often. */
const sliceMs = 30;

/**
 * Fills in the unknown features of rows.
 *
 * @param x [N, D] in the data's space; what stands at unknown features does not matter
 * @param known one row of D for all rows, or one a row: 1 at features that are known, 0 at those that are not
 * @throws FlowError NUMERIC when log p is not finite at the start, or with `stepSize` later
 */
export async function inpaint(
  flow: Flow,
  x: Rows,
  known: Rows,
  options: InpaintOptions = {},
): Promise<Inpainted> {
  const climb = new Climb(flow, x, known, options);
  try {
    await climb.run();
    return climb.result();
  } finally {
    climb.dispose();
  }
}

interface Parts extends Held {
  /** What moves, in the model's space. */
  readonly z: Tensor;
  readonly alpha: Tensor;
  readonly given: Tensor;
  readonly context: Tensor | null;
}

/** One call of inpaint: its tensors, and the step that is recorded once. */
class Climb {
  readonly #flow: Flow;
  readonly #options: InpaintOptions;
  readonly #stream: RandomStream;
  readonly #parts: Parts;
  /** Length of the data's interval in the model's space, as if it had been of length 1 before; 1 without an interval. */
  #span = 1;
  #logProb: Tensor | null = null;

  constructor(flow: Flow, x: Rows, known: Rows, options: InpaintOptions) {
    this.#flow = flow;
    this.#options = options;
    const { iterations = 500, noise = 0 } = options;
    for (const [what, value, good] of [
      ['iterations', iterations, Number.isSafeInteger(iterations) && iterations >= 1],
      ['noise', noise, noise >= 0],
    ] as const) {
      if (good) continue;
      const wanted = what === 'noise' ? 'a number ≥ 0' : 'a whole number ≥ 1';
      const sentence = expected('inpaint', what, wanted, String(value), 'correct it');
      throw new FlowError('ARGUMENT', sentence);
    }
    this.#stream = new RandomStream(options.seed ?? 0);
    try {
      // Aliases: they live until dispose, whatever scope surrounds the call.
      this.#parts = scope(() => {
        const parts = this.#begin(x, known);
        const own = (tensor: Tensor) => tensor.alias();
        return {
          z: own(parts.z),
          alpha: own(parts.alpha),
          mask: own(parts.mask),
          fixed: own(parts.fixed),
          given: own(parts.given),
          context: parts.context && own(parts.context),
          bounds: parts.bounds && ([own(parts.bounds[0]), own(parts.bounds[1])] as const),
        };
      });
    } catch (error) {
      this.#stream.dispose();
      throw error;
    }
  }

  #begin(x: Rows, known: Rows): Parts {
    const flow = this.#flow;
    const { features, dtype, preprocessing, dequantization } = flow;
    const rows = rowsTensor('inpaint', 'x', x, features, dtype);
    const count = rows.rows;
    const toModel = (data: Tensor) => (preprocessing ? preprocessing.forward(data).y : data);
    const integer = rows.dtype === 'uint8' || rows.dtype === 'int32';
    const given = cast(rows, dtype);
    const mask = this.#mask(known, count);
    const range =
      this.#options.range ?? (dequantization ? ([0, dequantization.levels] as const) : null);
    const shape = [count, features];
    const continuous = integer && dequantization ? flow.dequantize(rows, this.#stream) : given;
    let start: Tensor;
    let bounds: readonly [Tensor, Tensor] | null = null;
    if (range) {
      const [low, high] = range;
      const uniform = this.#stream.uniform(shape, dtype);
      start = toModel(affineScalar(uniform, high - low, low));
      const at = (part: number) => toModel(full([1, features], low + part * (high - low), dtype));
      bounds = [at(0), at(1)];
      // Of the middle 98 %: the ends of a logit are far away.
      this.#span = mean(sub(at(0.99), at(0.01))).item() / 0.98;
    } else start = this.#stream.normal(shape, dtype);
    // What is unknown may be anything, also outside of the domain of the preprocessing.
    const middle = full([], range ? (range[0] + range[1]) / 2 : 0, dtype);
    const fixed = toModel(where(mask, continuous, middle));
    return {
      z: where(mask, fixed, start),
      alpha: full([1, 1], 0, dtype),
      mask,
      fixed,
      given,
      context: contextRows('inpaint', flow, this.#options.context ?? null, count),
      bounds,
    };
  }

  #mask(known: Rows, count: number): Tensor {
    const { features, dtype } = this.#flow;
    const mask = cast(rowsTensor('inpaint', 'known', known, features, dtype), dtype);
    if (mask.rows !== 1 && mask.rows !== count) {
      const wanted = `1 or ${count} rows`;
      const remedy = 'pass one mask for all rows, or one a row';
      const got = String(mask.rows);
      throw new FlowError('SHAPE', expected('inpaint', 'known', wanted, got, remedy));
    }
    const values = mask.dataSync();
    const odd = values.findIndex((value) => value !== 0 && value !== 1);
    if (odd >= 0) {
      const got = `${values[odd]} at ${odd}`;
      const source = isTable(known) && known.source ? ` of ${known.source}` : '';
      throw new FlowError(
        'DATA',
        expected('inpaint', `known${source}`, '0 and 1', got, '1 marks what is known'),
      );
    }
    const whole = new (values.constructor as Float64ArrayConstructor)(count * features);
    for (let n = 0; n < count; n++) {
      const from = mask.rows === 1 ? 0 : n * features;
      whole.set((values as Float64Array).subarray(from, from + features), n * features);
    }
    return tensorOfArray(whole, [count, features]);
  }

  /** The paper's step: instructions only, so that it can be recorded. */
  #step(): { logProb: Tensor; mean: Tensor } {
    const { z, alpha, context } = this.#parts;
    const { noise = 1 } = this.#options;
    return scope(() => {
      const { logProb, gradient } = scoreOf(this.#flow, z, context);
      const kick =
        noise > 0 ? affineScalar(this.#stream.normal(z.shape, this.#flow.dtype), noise) : null;
      const moved = add(z, mul(kick ? add(gradient, kick) : gradient, alpha));
      copyInto(z, project(this.#parts, moved));
      return { logProb, mean: mean(logProb) };
    });
  }

  async run(): Promise<void> {
    if (this.#options.stepSize) await this.#bySchedule(this.#options.stepSize);
    else await this.#bySearch();
  }

  async #bySchedule(stepSize: (iteration: number) => number): Promise<void> {
    const { alpha } = this.#parts;
    const setAlpha = (i: number) => {
      const value = this.#span * stepSize(i);
      alpha.write(alpha.dtype === 'float32' ? Float32Array.of(value) : Float64Array.of(value));
    };
    setAlpha(0);
    const step = record(() => this.#step());
    try {
      await this.#iterate((i) => {
        if (i > 0) {
          setAlpha(i);
          step.run();
        }
        return step.result.mean.item();
      });
      this.#hold(step.result.logProb);
    } finally {
      step.dispose();
    }
  }

  async #bySearch(): Promise<void> {
    const { iterations = 500, noise = 0 } = this.#options;
    const { z, context } = this.#parts;
    const ascent = new Ascent(this.#flow, z, context, this.#parts);
    const aim = (i: number) => {
      const falling = (1 + Math.cos((Math.PI * i) / iterations)) / 2;
      ascent.aim(i, longestStep * this.#span * falling, noise);
    };
    let step: Program<void> | undefined;
    try {
      aim(0);
      step = record(() => ascent.step(noise > 0 ? this.#stream : null));
      await this.#iterate((i) => {
        if (i > 0) {
          aim(i);
          step?.run();
        }
        return scope(() => mean(ascent.logProb).item());
      });
      scope(() => void ascent.look());
      copyInto(z, ascent.best);
      this.#hold(ascent.logProb);
    } finally {
      step?.dispose();
      ascent.dispose();
    }
  }

  #hold(logProb: Tensor): void {
    const values = logProb.dataSync();
    this.#logProb = keep(tensorOfArray(values, [values.length]));
  }

  #requireFinite(iteration: number, average: number): void {
    if (Number.isFinite(average)) return;
    const what = `log p at iteration ${iteration}`;
    const remedy = this.#options.stepSize
      ? 'leave out stepSize: the default takes steps that suit any flow'
      : 'give the range of the data, or look for weights that are not finite';
    throw new FlowError(
      'NUMERIC',
      expected('inpaint', what, 'a finite number', String(average), remedy),
    );
  }

  /** The iterations, each of which gives the mean of log p; the event loop gets its turns. */
  async #iterate(iteration: (i: number) => number): Promise<void> {
    const { iterations = 500, signal, onIteration } = this.#options;
    let mark = performance.now();
    for (let i = 0; i < iterations && !signal?.aborted; i++) {
      const average = iteration(i);
      this.#requireFinite(i, average);
      onIteration?.(i, average);
      if (performance.now() - mark >= sliceMs) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        mark = performance.now();
      }
    }
  }

  result(): Inpainted {
    const { preprocessing } = this.#flow;
    const { z, mask, given } = this.#parts;
    return scope(() => {
      const x = preprocessing ? preprocessing.inverse(z).x : z;
      const filled = this.#options.quantize === false ? x : this.#flow.quantize(x);
      const logProb = (this.#logProb as Tensor).view([z.rows]);
      return { x: where(mask, given, filled), logProb };
    });
  }

  dispose(): void {
    const { bounds, context, ...rest } = this.#parts;
    for (const tensor of [...Object.values(rest), context, ...(bounds ?? []), this.#logProb])
      tensor?.dispose();
    this.#stream.dispose();
  }
}

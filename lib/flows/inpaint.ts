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
 *
 * A mode of log p is not always an image. With `sample` the unknown features are drawn from p(unknown | known) instead
 * (latentChain.ts).
 */
import { expected, FlowError } from '../errors';
import { add, affineScalar, clone, copyInto, mean, mul, RandomStream, where } from '../ops';
import {
  anything,
  callback,
  checkArgument,
  checkOptions,
  flag,
  object,
  type Rules,
  seed,
} from '../options';
import type { Rows } from '../tensor/input';
import { type Program, record } from '../tensor/program';
import { keep, scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Ascent, project, scoreOf } from './ascent';
import type { Flow } from './flow';
import { aFlow } from './flow';
import { disposeRows, type HeldRows, holdRows } from './heldRows';
import { LatentChain } from './latentChain';

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
  /** Draw the unknown features given the known ones, by a Markov chain in latent space, in place of the climb. Default false. */
  readonly sample?: boolean;
  /** With `sample`: how far the chain's known features are from those that are given, in parts of the interval. Default 0.1. */
  readonly tolerance?: number;
  /** With `sample`: factor on the spread of the base. Default 1. */
  readonly temperature?: number;
  /** Interval of the data. Default: 0 to levels where the flow dequantises, else none. */
  readonly range?: readonly [number, number];
  /** Of the start and the noise. Default 0. */
  readonly seed?: number;
  /** Round dequantised data down to integers. Default true where the flow has a dequantisation. */
  readonly quantize?: boolean;
  /** Told after each iteration the mean log p, in the model's space; with `sample` that of the latents, less the distance to what is known. */
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

const inpaintRules: Rules<InpaintOptions> = {
  context: anything,
  iterations: anything,
  stepSize: callback,
  noise: anything,
  sample: flag,
  tolerance: anything,
  temperature: anything,
  range: anything,
  seed,
  quantize: flag,
  onIteration: callback,
  signal: object,
};

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
  checkArgument('inpaint', 'flow', flow, aFlow);
  checkOptions('inpaint', options, inpaintRules);
  const climb = new Climb(flow, x, known, options);
  try {
    await climb.run();
    return climb.result();
  } finally {
    climb.dispose();
  }
}

/** One call of inpaint: its tensors, and the step that is recorded once. */
class Climb {
  readonly #flow: Flow;
  readonly #options: InpaintOptions;
  readonly #stream: RandomStream;
  readonly #parts: HeldRows;
  #logProb: Tensor | null = null;

  constructor(flow: Flow, x: Rows, known: Rows, options: InpaintOptions) {
    this.#flow = flow;
    this.#options = options;
    const { iterations = 500, noise = 0, tolerance = 0.1, temperature = 1 } = options;
    for (const [what, value, good, wanted] of [
      [
        'iterations',
        iterations,
        Number.isSafeInteger(iterations) && iterations >= 1,
        'a whole number ≥ 1',
      ],
      ['noise', noise, noise >= 0, 'a number ≥ 0'],
      ['tolerance', tolerance, tolerance > 0, 'a number > 0'],
      ['temperature', temperature, temperature > 0, 'a number > 0'],
    ] as const) {
      if (good) continue;
      const sentence = expected('inpaint', what, wanted, String(value), 'correct it');
      throw new FlowError('ARGUMENT', sentence);
    }
    if (options.sample && (options.stepSize || options.noise !== undefined)) {
      const what = options.stepSize ? 'stepSize' : 'noise';
      const remedy = 'leave it out: the chain finds its own steps';
      throw new FlowError('ARGUMENT', expected('inpaint', what, 'none with sample', 'one', remedy));
    }
    for (const what of ['tolerance', 'temperature'] as const) {
      if (options.sample || options[what] === undefined) continue;
      const remedy = 'pass sample: true, or leave it out';
      throw new FlowError(
        'ARGUMENT',
        expected('inpaint', what, 'none without sample', 'one', remedy),
      );
    }
    this.#stream = new RandomStream(options.seed ?? 0);
    try {
      this.#parts = holdRows(flow, x, known, options, this.#stream);
    } catch (error) {
      this.#stream.dispose();
      throw error;
    }
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
    if (this.#options.sample) await this.#byChain();
    else if (this.#options.stepSize) await this.#bySchedule(this.#options.stepSize);
    else await this.#bySearch();
  }

  async #bySchedule(stepSize: (iteration: number) => number): Promise<void> {
    const { alpha } = this.#parts;
    const setAlpha = (i: number) => {
      const value = this.#parts.span * stepSize(i);
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
      ascent.aim(i, longestStep * this.#parts.span * falling, noise);
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

  async #byChain(): Promise<void> {
    const { iterations = 500, tolerance = 0.1, temperature = 1 } = this.#options;
    const { z, mask, fixed, context } = this.#parts;
    const flow = this.#flow;
    const { seen } = this.#parts;
    const target = scope(() => clone(seen(fixed)).alias());
    const chain = scope(() => {
      const start = flow.bijection.forward(z, flow.conditions(context)).y;
      return new LatentChain(flow, start, context, { mask, target, seen }, temperature);
    });
    let step: Program<void> | undefined;
    try {
      chain.aim(0, iterations, tolerance);
      step = record(() => chain.step(this.#stream));
      await this.#iterate((i) => {
        if (i > 0) {
          chain.aim(i, iterations, tolerance);
          step?.run();
        }
        return chain.level();
      });
      scope(() => {
        copyInto(z, where(mask, fixed, chain.rows()));
        this.#hold(scoreOf(flow, z, context).logProb);
      });
    } finally {
      step?.dispose();
      chain.dispose();
      target.dispose();
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
    disposeRows(this.#parts);
    this.#logProb?.dispose();
    this.#stream.dispose();
  }
}

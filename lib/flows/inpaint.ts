/**
 * Inpainting: the known features of a row are held, the others climb log p, with noise. Dinh, Krueger and Bengio, "NICE", 2015,
 * section 5.2:
 *
 *     x_H ← x_H + α_i (∂log p(x_O, x_H)/∂x_H + ε),   ε ~ N(0, I),   α_i = 10/(100 + i)
 *
 * projected to the interval of the data after each step. The climb is in the space that the chain is trained in (after the
 * preprocessing, where papers quote log p), so that a pixel of 256 levels and one in [0, 1] take the same steps. Where the
 * interval is longer there than 1, as after a logit, the steps are as many times longer.
 */
import { valueAndGradient } from '../autograd/gradient';
import { expected, FlowError } from '../errors';
import {
  add,
  affineScalar,
  cast,
  copyInto,
  full,
  maximum,
  mean,
  minimum,
  mul,
  RandomStream,
  sub,
  sum,
  where,
} from '../ops';
import { isTable, type Rows, rowsTensor } from '../tensor/input';
import { record } from '../tensor/program';
import { keep, scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import type { Flow } from './flow';

export interface InpaintOptions {
  /** One row for all, or one a row. */
  readonly context?: Rows | null;
  /** Default 500. */
  readonly iterations?: number;
  /** α of iteration i = 0, 1, …, for an interval of length 1; default 10/(100 + i). */
  readonly stepSize?: (iteration: number) => number;
  /** Factor of the noise ε; 0 climbs to a mode. Default 1. */
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
  /** [N] float64: log p of the rows before the last step, in the model's space. */
  readonly logProb: Tensor;
}

/** The event loop gets a turn at least so often. */
const sliceMs = 30;

/**
 * Fills in the unknown features of rows.
 *
 * @param x [N, D] in the data's space; what stands at unknown features does not matter
 * @param known one row of D for all rows, or one a row: 1 at features that are known, 0 at those that are not
 * @throws FlowError NUMERIC when log p stops being finite: take smaller steps
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

interface Parts {
  /** What moves, in the model's space. */
  readonly z: Tensor;
  readonly alpha: Tensor;
  readonly mask: Tensor;
  readonly fixed: Tensor;
  readonly given: Tensor;
  readonly context: Tensor | null;
  /** Rows [D] in the model's space. */
  readonly bounds: readonly [Tensor, Tensor] | null;
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
    const { iterations = 500, noise = 1 } = options;
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
      context: this.#context(count),
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

  #context(count: number): Tensor | null {
    const { context = null } = this.#options;
    const { contextFeatures, dtype } = this.#flow;
    if (contextFeatures === 0) {
      if (context === null) return null;
      const remedy = 'leave it out';
      throw new FlowError('ARGUMENT', expected('inpaint', 'context', 'none', 'one', remedy));
    }
    if (context === null) {
      const wanted = `rows of ${contextFeatures} numbers`;
      const remedy = 'the flow is conditional: pass a context';
      throw new FlowError('ARGUMENT', expected('inpaint', 'context', wanted, 'none', remedy));
    }
    const rows = cast(rowsTensor('inpaint', 'context', context, contextFeatures, dtype), dtype);
    if (rows.rows === count) return rows;
    if (rows.rows === 1) return add(full([count, 1], 0, dtype), rows);
    const wanted = `1 or ${count} rows`;
    const got = String(rows.rows);
    throw new FlowError('SHAPE', expected('inpaint', 'context', wanted, got, 'pass one a row'));
  }

  /** One step: instructions only, so that it can be recorded. */
  #step(): { logProb: Tensor; mean: Tensor } {
    const { bijection, base, dtype } = this.#flow;
    const { z, alpha, mask, fixed, context, bounds } = this.#parts;
    const { noise = 1 } = this.#options;
    return scope(() => {
      let logProb: Tensor | undefined;
      const { gradients } = valueAndGradient(() => {
        const { y, logDet } = bijection.forward(z, context);
        const each = add(base.logProb(y), logDet);
        logProb = each.alias();
        return sum(each);
      }, [z]);
      const held = logProb as Tensor;
      held.adopt();
      const up = gradients[0] ?? full(z.shape, 0, dtype);
      const kick = noise > 0 ? affineScalar(this.#stream.normal(z.shape, dtype), noise) : null;
      let moved = add(z, mul(kick ? add(up, kick) : up, alpha));
      if (bounds) moved = maximum(minimum(moved, bounds[1]), bounds[0]);
      copyInto(z, where(mask, fixed, moved));
      return { logProb: held, mean: affineScalar(sum(held), 1 / held.size) };
    });
  }

  async run(): Promise<void> {
    const { iterations = 500, stepSize = (i: number) => 10 / (100 + i) } = this.#options;
    const { signal, onIteration } = this.#options;
    const { alpha } = this.#parts;
    const setAlpha = (i: number) => {
      const value = this.#span * stepSize(i);
      alpha.write(alpha.dtype === 'float32' ? Float32Array.of(value) : Float64Array.of(value));
    };
    setAlpha(0);
    const step = record(() => this.#step());
    let mark = performance.now();
    try {
      for (let i = 0; i < iterations && !signal?.aborted; i++) {
        if (i > 0) {
          setAlpha(i);
          step.run();
        }
        const average = step.result.mean.item();
        if (!Number.isFinite(average)) {
          const what = `log p at iteration ${i}`;
          const remedy = 'take smaller steps (stepSize), or give the range of the data';
          throw new FlowError(
            'NUMERIC',
            expected('inpaint', what, 'a finite number', String(average), remedy),
          );
        }
        onIteration?.(i, average);
        if (performance.now() - mark >= sliceMs) {
          await new Promise<void>((resolve) => setImmediate(resolve));
          mark = performance.now();
        }
      }
      const values = step.result.logProb.dataSync();
      this.#logProb = keep(tensorOfArray(values, [values.length]));
    } finally {
      step.dispose();
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

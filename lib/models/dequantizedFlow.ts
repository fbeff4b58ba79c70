/**
 * A flow of integers with a learned noise: variational dequantisation (Ho, Chen, Srinivas, Duan, Abbeel 2019, "Flow++", section 3.1).
 * Integers become numbers by adding u in [0, 1). Uniform noise asks the flow for densities that are flat on each unit cube; here u comes
 * from a flow q(u | x) of its own, trained with the other by the bound
 *
 *     log P(x) ≥ E_q(u|x) [ log p(x + u) − log q(u | x) ],
 *
 * which uniform noise has with q = 1. With K draws a row it is the importance-weighted bound, which rises with K to log P(x) (Hoogeboom, Cohen,
 * Tomczak 2020, "Learning Discrete Distributions by Dequantization", section 4.1).
 */
import type { Bijection } from '../bijections/bijection';
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { inChunks } from '../flows/chunks';
import { contextRows } from '../flows/context';
import { Flow } from '../flows/flow';
import type { Dequantization, LogProbOptions, SampleOptions } from '../flows/flowParts';
import { loadAs, type ModelFileOptions, saveModule } from '../flows/modelFile';
import { type Config, Module } from '../nn/module';
import { build, register } from '../nn/registry';
import {
  add,
  affineScalar,
  cast,
  clamp,
  concatColumns,
  floor,
  logSumExp,
  RandomStream,
  reshape,
  sub,
} from '../ops';
import { requireSize } from '../shape';
import { type Rows, rowsTensor } from '../tensor/input';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import type { GenerativeModel } from './generative';

export interface DequantizedFlowParts {
  /** p: the flow of the numbers, with its preprocessing and the `dequantization: { levels }` of the data. */
  readonly flow: Flow;
  /** q: draws u in [0, 1)ᴰ given x; its context is x as 2x/levels − 1 + 1/levels, D numbers within ±1. */
  readonly noise: Flow;
}

export interface DequantizedLogProbOptions extends Pick<LogProbOptions, 'seed'> {
  /** K: draws a row; default 1, the bound that training uses. */
  readonly samples?: number;
  /** There is one space, that of the integers: both words mean it. */
  readonly space?: 'data' | 'model';
}

/** Draws of a row whose bounds are added in one instruction. */
const atOnce = 32;

export class DequantizedFlow extends Module implements GenerativeModel {
  readonly flow: Flow;
  readonly noise: Flow;
  /** The map to the flow's space is a part of the bound: log P is that of integers. */
  readonly preprocessing = null;

  constructor({ flow, noise }: DequantizedFlowParts) {
    super();
    const D = flow.features;
    if (!flow.dequantization) {
      const remedy = 'make the flow with dequantization: { levels }';
      throw new FlowError(
        'ARGUMENT',
        expected('DequantizedFlow', 'flow', 'one of integers', 'one of numbers', remedy),
      );
    }
    if (noise.features !== D || noise.contextFeatures !== D || noise.dtype !== flow.dtype) {
      const got = `${noise.features} features, ${noise.contextFeatures} of context, ${noise.dtype}`;
      const wanted = `${D} features, ${D} of context, ${flow.dtype}`;
      throw new FlowError(
        'ARGUMENT',
        expected('DequantizedFlow', 'noise', wanted, got, 'variationalDequantization makes one'),
      );
    }
    this.flow = this.child('flow', flow);
    this.noise = this.child('noise', noise);
  }

  /** D. */
  get features(): number {
    return this.flow.features;
  }

  get contextFeatures(): number {
    return this.flow.contextFeatures;
  }

  get dtype(): FloatDType {
    return this.flow.dtype;
  }

  get dequantization(): Dequantization {
    return this.flow.dequantization as Dequantization;
  }

  get description(): Readonly<Record<string, string>> {
    return this.flow.description;
  }

  /** The flow's: `fit` sets from data what it has to set. */
  get bijection(): Bijection {
    return this.flow.bijection;
  }

  /** The context as the flow's bijection takes it. */
  conditions(context: Tensor | null): Tensor | null {
    return this.flow.conditions(context);
  }

  /** Integers as floats: the noise comes with the bound. */
  dequantize(x: Tensor): Tensor {
    return cast(x, this.dtype);
  }

  /** With uniform noise, in the flow's space. */
  bijectionRows(x: Tensor, stream: RandomStream): Tensor {
    return this.here(() => {
      const rows = this.flow.dequantize(floor(x), stream);
      return this.flow.preprocessing ? this.flow.preprocessing.forward(rows).y : rows;
    });
  }

  /**
   * The bound by one draw.
   *
   * @param x [N, D] integers as floats; fractions are dropped
   * @param stream the draws' random numbers
   * @returns [N] float64, on the tape
   */
  logProbOfRows(
    x: Tensor,
    context: Tensor | null,
    _space: 'data' | 'model',
    stream?: RandomStream,
  ): Tensor {
    if (!stream) {
      const sentence = expected(
        'DequantizedFlow',
        'stream',
        'a RandomStream',
        'none',
        'a bound by draws needs one',
      );
      throw new FlowError('ARGUMENT', sentence);
    }
    return this.here(() => {
      const { levels } = this.dequantization;
      const whole = floor(x);
      const seen = affineScalar(whole, 2 / levels, 1 / levels - 1);
      const drawn = this.noise.base.sample(x.rows, stream);
      const { x: u, logDet } = this.noise.inverse(drawn, seen);
      const logNoise = sub(this.noise.base.logProb(drawn, stream), logDet);
      // What rounds to 1 would be another integer.
      const below = this.dtype === 'float32' ? 1 - 2 ** -16 : 1 - 2 ** -40;
      const numbers = add(whole, clamp(u, 0, below));
      return sub(this.flow.logProbOfRows(numbers, context, 'data', stream), logNoise);
    });
  }

  /** log 1/K Σ_k p(x + u_k)/q(u_k | x): the importance-weighted bound. */
  importanceLogProb(
    x: Tensor,
    context: Tensor | null,
    samples: number,
    stream: RandomStream,
  ): Tensor {
    return this.here(() => {
      // Some draws side by side, added to those before.
      let sum: Tensor | null = null;
      for (let k = 0; k < samples; k += atOnce) {
        const before: Tensor[] = sum ? [sum] : [];
        sum = scope(() => {
          const draws = Array.from({ length: Math.min(atOnce, samples - k) }, () =>
            reshape(this.logProbOfRows(x, context, 'data', stream), [x.rows, 1]),
          );
          const all = logSumExp(concatColumns([...before, ...draws]), -1);
          return reshape(all, [x.rows, 1]);
        });
      }
      return reshape(affineScalar(sum as Tensor, 1, -Math.log(samples)), [x.rows]);
    });
  }

  /**
   * A bound on log P(x) by draws, natural logarithm.
   *
   * @param x [N, D] integers from 0 to levels − 1
   * @returns [N] float64
   */
  logProb(x: Rows, context: Rows | null = null, options: DequantizedLogProbOptions = {}): Tensor {
    const { samples = 1, seed = 0 } = options;
    requireSize('logProb', 'samples', samples, 'leave it out for one draw');
    return this.here(() => {
      const rows = rowsTensor('logProb', 'x', x, this.features, this.dtype);
      const conditions = contextRows('DequantizedFlow', this, context, rows.rows);
      const stream = new RandomStream(seed);
      try {
        return inChunks(cast(rows, this.dtype), conditions, (part, its) =>
          scope(() => this.importanceLogProb(part, its, samples, stream)),
        );
      } finally {
        stream.dispose();
      }
    });
  }

  /** Bits per dimension of the integers: −log P/(D·ln 2). */
  bitsPerDim(logProb: number): number {
    return this.flow.bitsPerDim(logProb);
  }

  /** Draws of the flow, rounded down to integers. */
  sample(samples: number, options: SampleOptions = {}): Tensor {
    return this.flow.sample(samples, options);
  }

  /** Writes both flows into one safetensors file, atomically. */
  async save(path: string, options: ModelFileOptions = {}): Promise<void> {
    await saveModule(this, path, options);
  }

  /** Reads what `save` wrote. @throws FlowError FILE, FORMAT */
  static async load(path: string): Promise<DequantizedFlow> {
    return loadAs(DequantizedFlow, path, 'a dequantised flow');
  }

  config(): Config {
    const { flow, noise } = this;
    return { kind: 'dequantizedFlow', flow: flow.config(), noise: noise.config() };
  }
}

register<Config & { kind: 'dequantizedFlow'; flow: Config; noise: Config }>(
  'dequantizedFlow',
  (config) => {
    const [flow, noise] = [build(config.flow), build(config.noise)];
    if (flow instanceof Flow && noise instanceof Flow) return new DequantizedFlow({ flow, noise });
    throw new FlowError(
      'FORMAT',
      expected('DequantizedFlow', 'config', 'two flows', 'other kinds', 'the file is damaged'),
    );
  },
);

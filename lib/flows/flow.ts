/**
 * A flow: a base distribution, a chain of bijections, and the fixed preprocessing that leads from the user's data to
 * the space that the chain is trained in.
 *
 *     data ──(dequantisation)──► preprocessing ──► bijection ──► base
 *
 * Preprocessing is made of bijections with their log-dets, so log p in the data's own units, nats in the model's space
 * (logit space for images, as papers quote them) and bits/dim all follow from one number.
 */
import '../bijections';
import { Bijection, type Forward, type Inverse } from '../bijections/bijection';
import { mergeSolves, type Solved, solved } from '../bijections/solve';
import { Distribution } from '../distributions';
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { type Config, Module } from '../nn/module';
import { build, register } from '../nn/registry';
import { add, cast, clamp, floor, RandomStream } from '../ops';
import { requireTensor } from '../ops/check';
import { checkArgument, checkOptions, number as numeric, one, type Rule } from '../options';
import { type Rows, rowsTensor } from '../tensor/input';
import type { Tensor } from '../tensor/tensor';
import { allInChunks } from './chunks';
import { contextRows } from './context';
import { freshSeed, requireSamples } from './draws';
import { fixedMapOf, mappedContext } from './fixedMap';
import {
  checkParts,
  type Dequantization,
  type FlowParts,
  flowRules,
  type LogProbOptions,
  logProbRules,
  type SampleOptions,
  sampleRules,
} from './flowParts';
import { loadAs, type ModelFileOptions, saveModule } from './modelFile';
import { reportOf, reportTensors, warnOfUnsolved } from './reports';

export class Flow extends Module {
  readonly base: Distribution;
  readonly bijection: Bijection;
  readonly preprocessing: Bijection | null;
  readonly contextPreprocessing: Bijection | null;
  readonly dequantization: Dequantization | null;
  readonly description: Readonly<Record<string, string>>;

  constructor(parts: FlowParts) {
    super();
    checkOptions('Flow', parts, flowRules);
    const {
      base,
      bijection,
      preprocessing = null,
      contextPreprocessing = null,
      dequantization = null,
      description = {},
    } = parts;
    checkParts({ base, bijection, preprocessing, contextPreprocessing });
    this.base = this.child('base', base);
    this.bijection = this.child('bijection', bijection);
    this.preprocessing = preprocessing ? this.child('preprocessing', preprocessing) : null;
    this.contextPreprocessing =
      contextPreprocessing && this.child('contextPreprocessing', contextPreprocessing);
    this.dequantization = dequantization;
    this.description = description;
  }

  /** D. */
  get features(): number {
    return this.base.features;
  }

  get contextFeatures(): number {
    return this.bijection.contextFeatures;
  }

  get dtype(): FloatDType {
    return this.base.dtype;
  }

  /** Which direction costs one pass: forward scores, inverse samples. */
  get fastDirection(): 'both' | 'forward' | 'inverse' {
    return this.bijection.fastDirection;
  }

  /**
   * data → noise.
   *
   * @param x [N, D]
   * @returns y [N, D] in the base's space, logDet [N] float64 with the preprocessing's part; `solve`, the report of the
   *   numerical inverses, where this direction has any. Rows that did not converge are flagged there, and one warning says
   *   their number.
   */
  forward(x: Rows, context: Rows | null = null): Forward {
    return this.here(() => {
      const rows = this.#toModel(this.#floatRows('forward', 'x', x));
      const conditions = this.conditions(this.#context(context, rows.x.rows));
      const step = this.bijection.forward(rows.x, conditions);
      const solve = mergeSolves(rows.solve, step.solve);
      warnOfUnsolved('forward', solve);
      return {
        y: step.y,
        logDet: rows.logDet ? add(step.logDet, rows.logDet) : step.logDet,
        ...solved(solve),
      };
    });
  }

  /**
   * noise → data.
   *
   * @param y [N, D]
   * @returns x [N, D] in the data's space (continuous: not rounded), logDet [N] float64; `solve`, the report of the numerical
   *   inverses, where the flow has any. Rows that did not converge are flagged there, and one warning says their number.
   */
  inverse(y: Rows, context: Rows | null = null): Inverse {
    return this.here(() => {
      const z = this.#floatRows('inverse', 'y', y);
      const conditions = this.conditions(this.#context(context, z.rows));
      const step = this.#toData(this.bijection.inverse(z, conditions));
      warnOfUnsolved('inverse', step.solve);
      return step;
    });
  }

  /**
   * Log-density, natural logarithm.
   *
   * @param x [N, D]. Integer data (Uint8Array, Int32Array or tensors of these types) of a flow with a dequantisation
   *   get their noise here; floats are taken as continuous already.
   * @returns [N] float64
   */
  logProb(x: Rows, context: Rows | null = null, options: LogProbOptions = {}): Tensor {
    const where = 'logProb';
    checkOptions(where, options, logProbRules);
    return this.here(() => {
      const rows = rowsTensor(where, 'x', x, this.features, this.dtype);
      const conditions = this.#context(context, rows.rows);
      const integer = rows.dtype === 'int32' || rows.dtype === 'uint8';
      const stream = integer && this.dequantization ? new RandomStream(options.seed ?? 0) : null;
      try {
        const [logProb, ...solve] = allInChunks(rows, conditions, (part, itsContext) => {
          const continuous = stream ? this.dequantize(part, stream) : cast(part, this.dtype);
          const scored = this.#score(continuous, itsContext, options.space ?? 'data');
          return [scored.logProb, ...reportTensors(scored.solve)];
        });
        warnOfUnsolved(where, reportOf(solve), options.onWarning);
        return logProb as Tensor;
      } finally {
        stream?.dispose();
      }
    });
  }

  /** logProb of a float tensor [N, D] in one piece, for training: everything between x and the result is on the tape. */
  logProbOfRows(
    x: Tensor,
    context: Tensor | null,
    space: 'data' | 'model',
    stream?: RandomStream,
  ): Tensor {
    return this.here(() => this.#score(x, context, space, stream).logProb);
  }

  #score(
    x: Tensor,
    context: Tensor | null,
    space: 'data' | 'model',
    stream: RandomStream | null = null,
  ): { logProb: Tensor } & Solved {
    return this.here(() => {
      const rows = this.#toModel(x);
      const { y, logDet, solve } = this.bijection.forward(rows.x, this.conditions(context));
      const inModel = add(this.base.logProb(y, stream), logDet);
      return {
        logProb: space === 'data' && rows.logDet ? add(inModel, rows.logDet) : inModel,
        ...solved(mergeSolves(rows.solve, solve)),
      };
    });
  }

  /** The context as the bijection takes it. @param context [N, contextFeatures] as users have it */
  conditions(context: Tensor | null): Tensor | null {
    return mappedContext(this.contextPreprocessing, context);
  }

  /** x + U[0, 1) for integer rows, as floats; the rows themselves where the flow has no dequantisation. */
  dequantize(x: Tensor, stream: RandomStream): Tensor {
    return this.here(() => {
      const floats = cast(x, this.dtype);
      if (!this.dequantization) return floats;
      return add(floats, stream.uniform(x.shape, this.dtype));
    });
  }

  /** Bits per dimension of log-densities in the data's space: −log p / (D·ln 2). For dequantised data a bound on the bits of the integers. */
  bitsPerDim(logProb: number): number {
    checkArgument('bitsPerDim', 'logProb', logProb, numeric);
    return -logProb / (this.features * Math.LN2);
  }

  /**
   * Draws from the flow.
   *
   * @param samples N
   * @returns [N, D] in the data's space
   */
  sample(samples: number, options: SampleOptions = {}): Tensor {
    checkOptions('sample', options, sampleRules);
    const { temperature = 1, seed = freshSeed() } = options;
    requireSamples(samples);
    return this.here(() => {
      const context = this.#context(options.context ?? null, samples);
      const stream = new RandomStream(seed);
      const noise = this.base.sample(samples, stream, temperature);
      stream.dispose();
      const [x, ...solve] = allInChunks(noise, context, (part, itsContext) => {
        const step = this.#toData(this.bijection.inverse(part, this.conditions(itsContext)));
        return [step.x, ...reportTensors(step.solve)];
      }) as [Tensor, ...Tensor[]];
      const report = reportOf(solve);
      if (report) options.onSolve?.(report);
      warnOfUnsolved('sample', report, options.onWarning);
      return options.quantize === false ? x : this.quantize(x);
    });
  }

  /** Rows of the data's space rounded down to its integers, within 0 … levels − 1; the rows themselves where the flow has no dequantisation. */
  quantize(x: Tensor): Tensor {
    requireTensor('quantize', 'x', x);
    if (!this.dequantization) return x;
    const { levels } = this.dequantization;
    return this.here(() => clamp(floor(x), 0, levels - 1));
  }

  /** Writes architecture, weights and state into one safetensors file, atomically. */
  async save(path: string, options: ModelFileOptions = {}): Promise<void> {
    await saveModule(this, path, options);
  }

  /** Reads what `save` wrote. @throws FlowError FILE, FORMAT */
  static async load(path: string): Promise<Flow> {
    return loadAs(Flow, path, 'a flow');
  }

  config(): Config {
    return {
      kind: 'flow',
      base: this.base.config(),
      bijection: this.bijection.config(),
      preprocessing: this.preprocessing?.config() ?? null,
      ...(this.contextPreprocessing && {
        contextPreprocessing: this.contextPreprocessing.config(),
      }),
      dequantization: this.dequantization ? { levels: this.dequantization.levels } : null,
      description: { ...this.description },
    };
  }

  #toModel(x: Tensor): { x: Tensor; logDet: Tensor | null } & Solved {
    if (!this.preprocessing) return { x, logDet: null };
    const { y, ...rest } = this.preprocessing.forward(x);
    return { x: y, ...rest };
  }

  #toData(step: Inverse): Inverse {
    if (!this.preprocessing) return step;
    const data = this.preprocessing.inverse(step.x);
    return {
      x: data.x,
      logDet: add(step.logDet, data.logDet),
      ...solved(mergeSolves(step.solve, data.solve)),
    };
  }

  #floatRows(where: string, what: string, rows: Rows): Tensor {
    return cast(rowsTensor(where, what, rows, this.features, this.dtype), this.dtype);
  }

  /** The context as a tensor [rows, contextFeatures]; a single row is repeated. */
  #context(context: Rows | null, rows: number): Tensor | null {
    return contextRows('Flow', this, context, rows);
  }
}

/** What takes a flow. */
export const aFlow: Rule = one('a Flow', () => Flow);

/** A flow that scores and trains in one plain pass; its samples are an inverse: MAF. */
export type ScoringFlow = Flow & { readonly fastDirection: 'forward' };

/** A flow that samples in one plain pass, with gradients along it; its density is an inverse: IAF. */
export type SamplingFlow = Flow & { readonly fastDirection: 'inverse' };

type FlowConfig = {
  kind: 'flow';
  base: Config;
  bijection: Config;
  preprocessing: Config | null;
  contextPreprocessing?: Config;
  dequantization: Dequantization | null;
  description: Record<string, string>;
};

register<FlowConfig & Config>('flow', (config) => {
  const base = build(config.base);
  const bijection = build(config.bijection);
  const preprocessing = fixedMapOf('Flow', config.preprocessing);
  const contextPreprocessing = fixedMapOf('Flow', config.contextPreprocessing);
  if (!(base instanceof Distribution) || !(bijection instanceof Bijection)) {
    throw new FlowError(
      'FORMAT',
      expected(
        'Flow',
        'config',
        'a base distribution and bijections',
        'other kinds',
        'the file is damaged',
      ),
    );
  }
  return new Flow({
    base,
    bijection,
    preprocessing,
    contextPreprocessing,
    dequantization: config.dequantization,
    description: config.description,
  });
});

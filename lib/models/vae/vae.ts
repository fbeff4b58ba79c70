/**
 * Variational autoencoders: p(x) = ∫ p(x | z) p(z) dz with a decoder p(x | z), trained by the bound (ELBO)
 *
 *     log p(x) ≥ E_q(z|x) [ log p(x | z) + log p(z) − log q(z | x) ].
 *
 * Kingma, Welling 2014, "Auto-Encoding Variational Bayes". The posterior q is a diagonal Gaussian, or one that a flow bends
 * (Rezende, Mohamed 2015; Kingma et al. 2016, "Improved Variational Inference with Inverse Autoregressive Flow"); the prior is a
 * standard normal or any flow (Chen et al. 2017, "Variational Lossy Autoencoder": an autoregressive prior with a factorised
 * posterior is as rich as the other way round).
 */
import { isTracked } from '../../autograd/tape';
import type { Bijection } from '../../bijections/bijection';
import { StandardNormal } from '../../distributions';
import type { FloatDType } from '../../dtype';
import { expected, FlowError } from '../../errors';
import { inChunks } from '../../flows/chunks';
import { contextRows } from '../../flows/context';
import type { DensityModel } from '../../flows/density';
import { freshSeed, requireDrawn, requireSamples } from '../../flows/draws';
import { mappedContext } from '../../flows/fixedMap';
import type { Flow } from '../../flows/flow';
import { loadAs, type ModelFileOptions, saveModule } from '../../flows/modelFile';
import type { Conditioner } from '../../nn/conditioner';
import { type Config, Module } from '../../nn/module';
import {
  add,
  affineScalar,
  cast,
  concatRows,
  full,
  mul,
  RandomStream,
  rowsView,
  sub,
} from '../../ops';
import { anything, checkOptions, seed as seedRule, word } from '../../options';
import { requireSize } from '../../shape';
import { type Rows, rowsTensor } from '../../tensor/input';
import { scope } from '../../tensor/scope';
import { isRecording, type Tensor } from '../../tensor/tensor';
import { Bound, latentIndices } from './bound';
import type { Likelihood } from './likelihood';
import {
  checkObjective,
  type FreeBits,
  type Warmup,
  warmupWeight,
  withFreeBits,
} from './objective';
import {
  checkGroups,
  checkParts,
  type ElboTerms,
  type Encoding,
  type VaeLogProbOptions,
  type VaeParts,
  type VaeSampleOptions,
  vaePartsRules,
  vaeSampleRules,
} from './parts';

/** Draws that go through the decoder at once, by the numbers that they make. */
const mostNumbers = 1 << 19;

export class Vae extends Module implements DensityModel {
  readonly encoder: Conditioner;
  readonly decoder: Conditioner;
  readonly likelihood: Likelihood;
  readonly posterior: Bijection | null;
  readonly prior: Flow | null;
  readonly preprocessing: Bijection | null;
  readonly contextPreprocessing: Bijection | null;
  readonly binarization: { readonly levels: number } | null;
  readonly freeBits: FreeBits | null;
  readonly warmup: Warmup | null;
  readonly description: Readonly<Record<string, string>>;
  readonly dtype: FloatDType;
  /** L. */
  readonly latents: number;
  /** Weight of the divergence in training; written before each step, so that a recorded step can go on using it. */
  readonly #weight: Tensor;
  readonly #bound: Bound;

  constructor(parts: VaeParts) {
    super();
    checkOptions('Vae', parts, vaePartsRules);
    const { posterior = null, prior = null, preprocessing = null, freeBits = null } = parts;
    const { contextPreprocessing: ofContext = null } = parts;
    this.encoder = this.child('encoder', parts.encoder);
    this.decoder = this.child('decoder', parts.decoder);
    this.likelihood = this.child('likelihood', parts.likelihood);
    this.posterior = posterior && this.child('posterior', posterior);
    this.prior = prior && this.child('prior', prior);
    this.preprocessing = preprocessing && this.child('preprocessing', preprocessing);
    this.contextPreprocessing = ofContext && this.child('contextPreprocessing', ofContext);
    this.binarization = parts.binarization ?? null;
    this.freeBits = freeBits;
    this.warmup = parts.warmup ?? null;
    this.description = parts.description ?? {};
    this.latents = parts.decoder.inputs;
    this.dtype = (this.decoder.parameters()[0]?.dtype ?? 'float32') as FloatDType;
    checkParts(this);
    checkObjective(freeBits, this.warmup, this.latents);
    if (freeBits && (freeBits.groups ?? this.latents) > 1) checkGroups(this);
    this.#weight = this.own(full([1], 1, 'float64'));
    const { means, raws } = latentIndices(this.latents);
    const indices = { means: this.own(means), raws: this.own(raws) };
    this.#bound = new Bound(this, this.dtype, indices);
  }

  /** D. */
  get features(): number {
    return this.likelihood.features;
  }

  get contextFeatures(): number {
    return this.encoder.contextFeatures;
  }

  /** The integers that it takes: those that it binarises, or the likelihood's levels; null: numbers. */
  get dequantization(): { readonly levels: number } | null {
    const { levels } = this.likelihood;
    return this.binarization ?? (levels === null ? null : { levels });
  }

  /** Integers become bits where the model binarises, else floats. */
  dequantize(x: Tensor, stream: RandomStream): Tensor {
    return this.here(() => {
      const floats = cast(x, this.dtype);
      if (!this.binarization) return floats;
      return stream.bernoulli(affineScalar(floats, 1 / (this.binarization.levels - 1)));
    });
  }

  /** The context as the networks take it. */
  conditions(context: Tensor | null): Tensor | null {
    return mappedContext(this.contextPreprocessing, context);
  }

  /** Sets the weight of the divergence. */
  beforeStep(step: number): void {
    if (this.warmup) this.#weight.write(Float64Array.of(warmupWeight(this.warmup, step)));
  }

  /**
   * One draw of the bound: the ELBO; in training (`model.train()`), what is made large: with free bits and warm-up.
   *
   * @param x [N, D] of the data's space, bits where the model binarises
   * @param stream the draws' random numbers
   * @returns [N] float64, on the tape
   */
  logProbOfRows(
    x: Tensor,
    context: Tensor | null,
    space: 'data' | 'model',
    stream?: RandomStream,
  ): Tensor {
    if (!stream) {
      throw new FlowError(
        'ARGUMENT',
        expected('Vae', 'stream', 'a RandomStream', 'none', 'a bound by draws needs one'),
      );
    }
    return this.here(() => {
      const { rows, logDet } = this.#toModel(x);
      const given = this.conditions(context);
      const bound = this.training
        ? this.#objective(rows, given, stream)
        : this.#bound.terms(rows, given, stream).elbo;
      return space === 'data' && logDet ? add(bound, logDet) : bound;
    });
  }

  /**
   * log 1/K Σ_k p(x, z_k)/q(z_k | x): a bound that rises with K to log p(x) (Burda et al. 2016, "Importance Weighted
   * Autoencoders"). Draws go through the decoder in pieces of bounded memory; in one under a tape.
   *
   * @param x [N, D] of the data's space
   * @returns [N] float64, in the model's space
   */
  importanceLogProb(
    x: Tensor,
    context: Tensor | null,
    samples: number,
    stream: RandomStream,
  ): Tensor {
    return this.here(() => {
      const { rows } = this.#toModel(x);
      const conditions = this.conditions(context);
      const whole = isTracked([rows, ...this.parameters()]) || isRecording();
      const most = whole ? Infinity : Math.max(64, Math.floor(mostNumbers / this.features));
      const draws = Math.min(samples, most);
      const atOnce = Math.min(rows.rows, Math.max(1, Math.floor(most / draws)));
      const parts: Tensor[] = [];
      for (let first = 0; first < rows.rows; first += atOnce) {
        const last = Math.min(rows.rows, first + atOnce);
        const part = scope(() => {
          const all = atOnce === rows.rows;
          const own = all ? rows : rowsView(rows, first, last);
          const given = all || !conditions ? conditions : rowsView(conditions, first, last);
          return this.#bound.importance(own, given, samples, draws, stream);
        });
        parts.push(part);
      }
      return parts.length === 1 ? (parts[0] as Tensor) : concatRows(parts);
    });
  }

  /**
   * Importance-sampled log p(x), a bound from below in expectation.
   *
   * @param x [N, D]; integers become bits where the model binarises
   * @returns [N] float64, nats
   */
  logProb(x: Rows, context: Rows | null = null, options: VaeLogProbOptions = {}): Tensor {
    checkOptions('logProb', options, {
      samples: anything,
      seed: anything,
      space: word('data', 'model'),
    });
    const { samples = 128, seed = 0, space = 'data' } = options;
    requireSize('logProb', 'samples', samples, 'default: 128');
    return this.#withRows('logProb', x, context, seed, (rows, given, stream) => {
      const logProb = this.importanceLogProb(rows, given, samples, stream);
      if (space === 'model' || !this.preprocessing) return logProb;
      return add(logProb, this.preprocessing.forward(rows).logDet);
    });
  }

  /** The terms of the bound, in the model's space, by one draw a row. */
  terms(x: Rows, context: Rows | null = null, options: { seed?: number } = {}): ElboTerms {
    checkOptions('terms', options, { seed: seedRule });
    return this.#withRows('terms', x, context, options.seed ?? 0, (rows, given, stream) =>
      this.#bound.terms(this.#toModel(rows).rows, this.conditions(given), stream),
    );
  }

  /** q(z | x) of each row, and a draw of it. */
  encode(x: Rows, context: Rows | null = null, options: { seed?: number } = {}): Encoding {
    checkOptions('encode', options, { seed: seedRule });
    return this.#withRows('encode', x, context, options.seed ?? 0, (rows, given, stream) => {
      const gaussian = this.#bound.encode(this.#toModel(rows).rows, this.conditions(given));
      return { ...this.#bound.moments(gaussian), ...this.#bound.draw(gaussian, stream) };
    });
  }

  /**
   * log q(z | x) of given latents: the way back through the posterior's flow (of IAF, the incremental inverse of a MADE).
   *
   * @param z [N, L]
   * @returns [N] float64
   */
  posteriorLogProb(z: Rows, x: Rows, context: Rows | null = null): Tensor {
    return this.#withRows('posteriorLogProb', x, context, 0, (rows, given) => {
      const latents = cast(
        rowsTensor('posteriorLogProb', 'z', z, this.latents, this.dtype),
        this.dtype,
      );
      const gaussian = this.#bound.encode(this.#toModel(rows).rows, this.conditions(given));
      return this.#bound.posteriorLogProb(latents, gaussian);
    });
  }

  /** E[x | z] of latents [N, L], in the data's units. */
  decode(z: Rows, context: Rows | null = null): Tensor {
    return this.here(() => {
      const latents = cast(rowsTensor('decode', 'z', z, this.latents, this.dtype), this.dtype);
      const given = this.conditions(contextRows('Vae', this, context, latents.rows));
      return inChunks(latents, given, (part, itsContext) =>
        this.#toData(this.likelihood.mean(this.decoder.apply(part, itsContext))),
      );
    });
  }

  /** E[x | z] of a draw z of q(z | x): [N, D], in the data's units. */
  reconstruct(x: Rows, context: Rows | null = null, options: { seed?: number } = {}): Tensor {
    checkOptions('reconstruct', options, { seed: seedRule });
    return this.here(() => this.decode(this.encode(x, context, options).z, context));
  }

  /**
   * Draws from the prior and the likelihood.
   *
   * @returns [samples, D] in the data's units: of a model that binarises 0 and levels − 1
   */
  sample(samples: number, options: VaeSampleOptions = {}): Tensor {
    checkOptions('sample', options, vaeSampleRules);
    const { temperature = 1, seed = freshSeed(), mean = false } = options;
    requireSamples(samples);
    return this.here(() => {
      const given = this.conditions(contextRows('Vae', this, options.context ?? null, samples));
      const stream = new RandomStream(seed);
      try {
        const base = this.prior?.base ?? new StandardNormal(this.latents, this.dtype);
        const noise = base.sample(samples, stream, temperature);
        const drawn = inChunks(noise, given, (part, itsContext) => {
          const { prior } = this;
          const z = prior ? prior.inverse(part, prior.contextFeatures ? itsContext : null).x : part;
          const params = this.decoder.apply(z, itsContext);
          const { likelihood } = this;
          return this.#toData(mean ? likelihood.mean(params) : likelihood.sample(params, stream));
        });
        return requireDrawn(drawn);
      } finally {
        stream.dispose();
      }
    });
  }

  /** Bits per dimension of log-densities in the data's space: −log p / (D·ln 2). */
  bitsPerDim(logProb: number): number {
    return -logProb / (this.features * Math.LN2);
  }

  /** Writes architecture, weights and state into one safetensors file, atomically. */
  async save(path: string, options: ModelFileOptions = {}): Promise<void> {
    await saveModule(this, path, options);
  }

  /** Reads what `save` wrote. @throws FlowError FILE, FORMAT */
  static async load(path: string): Promise<Vae> {
    return loadAs(Vae, path, 'a VAE');
  }

  config(): Config {
    const { binarization, freeBits, warmup, contextPreprocessing: map } = this;
    return {
      kind: 'vae',
      encoder: this.encoder.config(),
      decoder: this.decoder.config(),
      likelihood: this.likelihood.config(),
      posterior: this.posterior?.config() ?? null,
      prior: this.prior?.config() ?? null,
      preprocessing: this.preprocessing?.config() ?? null,
      ...(map && { contextPreprocessing: map.config() }),
      binarization: binarization && { levels: binarization.levels },
      freeBits: freeBits && { ...freeBits },
      warmup: warmup && { ...warmup },
      description: { ...this.description },
    };
  }

  /** Rows that a user passes, with the draws of the binarisation. */
  #rows(where: string, x: Rows, stream: RandomStream): Tensor {
    const rows = rowsTensor(where, 'x', x, this.features, this.dtype);
    const integer = rows.dtype === 'int32' || rows.dtype === 'uint8';
    return integer ? this.dequantize(rows, stream) : cast(rows, this.dtype);
  }

  #withRows<T>(
    where: string,
    x: Rows,
    context: Rows | null,
    seed: number,
    map: (rows: Tensor, context: Tensor | null, stream: RandomStream) => T,
  ): T {
    return this.here(() => {
      const stream = new RandomStream(seed);
      try {
        const rows = this.#rows(where, x, stream);
        return map(rows, contextRows('Vae', this, context, rows.rows), stream);
      } finally {
        stream.dispose();
      }
    });
  }

  #toModel(x: Tensor): { rows: Tensor; logDet: Tensor | null } {
    if (!this.preprocessing) return { rows: x, logDet: null };
    const { y, logDet } = this.preprocessing.forward(x);
    return { rows: y, logDet };
  }

  #toData(x: Tensor): Tensor {
    if (this.binarization) return affineScalar(x, this.binarization.levels - 1);
    return this.preprocessing ? this.preprocessing.inverse(x).x : x;
  }

  #objective(x: Tensor, context: Tensor | null, stream: RandomStream): Tensor {
    const { freeBits } = this;
    const weighted = (divergence: Tensor) =>
      this.warmup ? mul(divergence, this.#weight) : divergence;
    if (!freeBits) {
      const { logLikelihood, divergence } = this.#bound.terms(x, context, stream);
      return sub(logLikelihood, weighted(divergence));
    }
    if ((freeBits.groups ?? this.latents) === 1) {
      const { logLikelihood, divergence } = this.#bound.terms(x, context, stream);
      return sub(logLikelihood, weighted(withFreeBits(divergence, freeBits)));
    }
    const gaussian = this.#bound.encode(x, context);
    const { z, divergence } = this.#bound.divergenceByLatent(gaussian, context, stream);
    const logLikelihood = this.#bound.logLikelihood(x, z, context);
    return sub(logLikelihood, weighted(withFreeBits(divergence, freeBits)));
  }
}

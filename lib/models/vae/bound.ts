/** The bound of a variational autoencoder, term by term: draws of q(z | x), their densities, and averages over many draws. */
import { columnsOfInput, forwardByFeature } from '../../bijections/byFeature';
import type { FloatDType } from '../../dtype';
import {
  type AutoregressiveScale,
  add,
  affineScalar,
  autoregressiveAffine,
  autoregressiveAffineInverse,
  columns,
  concatColumns,
  exp,
  gatherColumns,
  gatherRows,
  logScaleOf,
  logSumExp,
  normalLogProb,
  type RandomStream,
  reshape,
  square,
  sub,
  sum,
} from '../../ops';
import { scope } from '../../tensor/scope';
import { type Tensor, tensorOfArray } from '../../tensor/tensor';
import { type ElboTerms, generatorOf, type VaeParts } from './parts';

/** log σ of the posterior's Gaussian: bounded, so that no draw overflows. */
const posteriorScale: AutoregressiveScale = { kind: 'softClamp', bound: 10 };

/** q(z | x) before a flow bends it. */
export interface Gaussian {
  /** [N, 2·L]: mean and raw log σ of each latent. */
  readonly params: Tensor;
  /** [N, H] */
  readonly h: Tensor | null;
}

export interface Draw {
  readonly z: Tensor;
  readonly logQ: Tensor;
}

/** Columns of the means and of the raw log σ: int32 [L] each. */
export function latentIndices(latents: number): { means: Tensor; raws: Tensor } {
  const from = (first: number) =>
    tensorOfArray(
      Int32Array.from({ length: latents }, (_, i) => 2 * i + first),
      [latents],
    );
  return { means: from(0), raws: from(1) };
}

export class Bound {
  /** L. */
  readonly latents: number;
  readonly #dtype: FloatDType;
  readonly #indices: { readonly means: Tensor; readonly raws: Tensor };

  /** @param indices {@link latentIndices} */
  constructor(
    readonly parts: Required<VaeParts>,
    dtype: FloatDType,
    indices: { readonly means: Tensor; readonly raws: Tensor },
  ) {
    this.latents = parts.decoder.inputs;
    this.#dtype = dtype;
    this.#indices = indices;
  }

  /** What the encoder says of x, which is in the model's space. */
  encode(x: Tensor, context: Tensor | null): Gaussian {
    const { encoder, likelihood } = this.parts;
    const { latents } = this;
    const made = encoder.apply(likelihood.input(x), context);
    if (made.cols === 2 * latents) return { params: made, h: null };
    return { params: columns(made, 0, 2 * latents), h: columns(made, 2 * latents, made.cols) };
  }

  /** z of q(z | x) and log q(z | x) [N]. */
  draw({ params, h }: Gaussian, stream: RandomStream): Draw {
    return scope(() => {
      const noise = stream.normal([params.rows, this.latents], this.#dtype);
      const { x: z, logDet } = autoregressiveAffineInverse(noise, params, {
        scale: posteriorScale,
      });
      const logQ = sub(normalLogProb(noise), logDet);
      const { posterior } = this.parts;
      if (!posterior) return { z, logQ };
      const bent = posterior.inverse(z, h);
      return { z: bent.x, logQ: sub(logQ, bent.logDet) };
    });
  }

  logLikelihood(x: Tensor, z: Tensor, context: Tensor | null): Tensor {
    return this.parts.likelihood.logProb(this.parts.decoder.apply(z, context), x);
  }

  logPrior(z: Tensor, context: Tensor | null): Tensor {
    const { prior } = this.parts;
    if (!prior) return normalLogProb(z);
    return prior.logProbOfRows(z, prior.contextFeatures > 0 ? context : null, 'data');
  }

  /** The bound and its terms. @param x in the model's space */
  terms(x: Tensor, context: Tensor | null, stream: RandomStream): ElboTerms {
    return scope(() => {
      const gaussian = this.encode(x, context);
      const { z, logQ } = this.draw(gaussian, stream);
      const logLikelihood = this.logLikelihood(x, z, context);
      const divergence =
        this.parts.posterior === null && this.parts.prior === null
          ? sum(this.gaussianDivergence(gaussian.params), -1, { dtype: 'float64' })
          : sub(logQ, this.logPrior(z, context));
      return { logLikelihood, divergence, elbo: sub(logLikelihood, divergence) };
    });
  }

  /** KL(N(μ, σ²) ‖ N(0, 1)) of each latent: [N, L]. */
  gaussianDivergence(params: Tensor): Tensor {
    const mean = gatherColumns(params, this.#indices.means);
    const logScale = logScaleOf(gatherColumns(params, this.#indices.raws), posteriorScale);
    const squares = add(square(mean), exp(affineScalar(logScale, 2)));
    return sub(affineScalar(squares, 0.5, -0.5), logScale);
  }

  /** z of q, and the summands of log q(z | x) − log p(z), [N, L], or their expectation where it is known. */
  divergenceByLatent(gaussian: Gaussian, context: Tensor | null, stream: RandomStream) {
    const { prior } = this.parts;
    const { params, h } = gaussian;
    const noise = stream.normal([params.rows, this.latents], this.#dtype);
    let z = autoregressiveAffineInverse(noise, params, { scale: posteriorScale }).x;
    if (this.parts.posterior === null && prior === null)
      return { z, divergence: this.gaussianDivergence(params) };
    // −½·log 2π of both densities cancel.
    const logScale = logScaleOf(gatherColumns(params, this.#indices.raws), posteriorScale);
    let logQ = sub(affineScalar(square(noise), -0.5), logScale);
    const generator = generatorOf(this.parts.posterior);
    if (generator) {
      const bent = forwardByFeature(generator, z, h);
      z = bent.y;
      if (bent.logDets) logQ = sub(logQ, columnsOfInput(generator, bent.logDets));
    }
    if (!prior) return { z, divergence: add(logQ, affineScalar(square(z), 0.5)) };
    const { y, logDets } = forwardByFeature(
      prior.bijection,
      z,
      prior.contextFeatures ? context : null,
    );
    const normal = affineScalar(square(y), -0.5);
    const logP = columnsOfInput(prior.bijection, logDets ? add(normal, logDets) : normal);
    return { z, divergence: sub(logQ, logP) };
  }

  /** log q(z | x) of given latents: the way back through the posterior's flow. */
  posteriorLogProb(z: Tensor, { params, h }: Gaussian): Tensor {
    return scope(() => {
      const { posterior } = this.parts;
      const back = posterior?.forward(z, posterior.contextFeatures > 0 ? h : null);
      const { y, logDet } = autoregressiveAffine(back?.y ?? z, params, { scale: posteriorScale });
      const gaussian = add(normalLogProb(y), logDet);
      return back ? add(gaussian, back.logDet) : gaussian;
    });
  }

  /** Mean and deviation of the Gaussian, [N, L] each. */
  moments({ params }: Gaussian): { mean: Tensor; deviation: Tensor } {
    const { means, raws } = this.#indices;
    const raw = gatherColumns(params, raws);
    return { mean: gatherColumns(params, means), deviation: exp(logScaleOf(raw, posteriorScale)) };
  }

  /** log 1/K Σ_k p(x, z_k)/q(z_k | x) of K = samples draws, so many at once: [N] float64. */
  importance(
    x: Tensor,
    context: Tensor | null,
    samples: number,
    draws: number,
    stream: RandomStream,
  ): Tensor {
    const gaussian = this.encode(x, context);
    const logWeights: Tensor[] = [];
    for (let done = 0; done < samples; done += draws) {
      const count = Math.min(draws, samples - done);
      logWeights.push(
        scope(() => {
          const each = Int32Array.from({ length: x.rows * count }, (_, i) => Math.floor(i / count));
          const indices = tensorOfArray(each, [each.length]);
          const repeated = (tensor: Tensor) => (count === 1 ? tensor : gatherRows(tensor, indices));
          const { z, logQ } = this.draw(
            { params: repeated(gaussian.params), h: gaussian.h && repeated(gaussian.h) },
            stream,
          );
          const given = context && repeated(context);
          const joint = add(this.logLikelihood(repeated(x), z, given), this.logPrior(z, given));
          return reshape(sub(joint, logQ), [x.rows, count]);
        }),
      );
    }
    const all = logWeights.length === 1 ? (logWeights[0] as Tensor) : concatColumns(logWeights);
    return affineScalar(logSumExp(all, -1), 1, -Math.log(samples));
  }
}

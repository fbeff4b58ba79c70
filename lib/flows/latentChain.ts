/**
 * Rows from p(unknown | known) by a Markov chain in the space of the base: with flow⁻¹(z) = x,
 *
 *     E(z) = −log p_base(z) + ‖x_known(z) − known‖² / (2σ²),
 *
 * and z goes by Langevin steps, z' = z − ε/2 ∇E(z) + √ε ξ, each of which is taken with the probability that makes e^(−E) the
 * chain's distribution (Metropolis-adjusted Langevin; Roberts and Tweedie 1996). In latents all directions are about alike and
 * the density of pixels, whose modes are no images, has no say. Cannella, Soltani and Tarokh, "Projected Latent Markov Chain
 * Monte Carlo", 2021, walk there too.
 *
 * In the first half of the iterations σ falls and each row finds its ε; in the second both stay.
 */
import type { FloatDType } from '../dtype';
import {
  add,
  affineScalar,
  cast,
  clone,
  copyInto,
  exp,
  full,
  greaterEqual,
  log,
  mean,
  mul,
  neg,
  type RandomStream,
  reshape,
  sqrt,
  square,
  sub,
  sum,
  where,
} from '../ops';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import type { Flow } from './flow';
import { slopesOf } from './slopes';

/** What a chain is told to come to. */
export interface Wanted {
  /** [N, D]: 1 at features that are known. */
  readonly mask: Tensor;
  /** [N, D]: what `seen` is to be there. */
  readonly target: Tensor;
  /** What of x in the model's space is compared, row by row. */
  readonly seen: (x: Tensor) => Tensor;
}

/** σ at the start. */
const farthest = 1;
/** The share of steps that is taken, at best (Roberts and Rosenthal 1998), and how fast ε goes there. */
const bestShare = 0.574;
const pace = 0.1;
/** ε at the start. */
const firstStep = 0.05;

interface Place {
  readonly z: Tensor;
  /** [N, 1] float64: −log p_base, and half of the squared distance. */
  readonly prior: Tensor;
  readonly away: Tensor;
  /** [N, D]: their gradients. */
  readonly dPrior: Tensor;
  readonly dAway: Tensor;
}

export class LatentChain {
  readonly #here: Place;
  /** [N, 1]: log ε. */
  readonly #logStep: Tensor;
  /** [1, 1]: 1/σ²; how much log ε moves. */
  readonly #weight: Tensor;
  readonly #pace: Tensor;

  /** @param z [N, D]: the latents that the rows start from */
  constructor(
    readonly flow: Flow,
    z: Tensor,
    readonly context: Tensor | null,
    readonly wanted: Wanted,
    readonly temperature: number,
  ) {
    const own = (value: number, shape: readonly number[], dtype: FloatDType) =>
      scope(() => full(shape, value, dtype).alias());
    this.#here = scope(() => {
      const { prior, away, dPrior, dAway } = this.#look(z);
      return {
        z: clone(z).alias(),
        prior: prior.alias(),
        away: away.alias(),
        dPrior: dPrior.alias(),
        dAway: dAway.alias(),
      };
    });
    this.#logStep = own(Math.log(firstStep), [z.rows, 1], flow.dtype);
    this.#weight = own(0, [1, 1], flow.dtype);
    this.#pace = own(0, [1, 1], flow.dtype);
  }

  /** Before step i = 0, 1, … of `iterations`. @param nearest σ in the end */
  aim(i: number, iterations: number, nearest: number): void {
    const write = (tensor: Tensor, value: number) =>
      tensor.write(tensor.dtype === 'float32' ? Float32Array.of(value) : Float64Array.of(value));
    const part = Math.min(1, (2 * i) / iterations);
    write(this.#weight, (farthest * (nearest / farthest) ** part) ** -2);
    write(this.#pace, part < 1 ? pace : 0);
  }

  /** One step of all rows: instructions only, so that it can be recorded. */
  step(stream: RandomStream): void {
    const here = this.#here;
    const { z } = here;
    const { dtype } = this.flow;
    scope(() => {
      const epsilon = exp(this.#logStep);
      const root = sqrt(epsilon);
      const kick = stream.normal(z.shape, dtype);
      const drift = (place: Place) => mul(this.#slope(place), affineScalar(epsilon, 0.5));
      const there = this.#look(add(sub(z, drift(here)), mul(kick, root)));
      // The kick that would lead back, times √ε.
      const back = add(sub(z, there.z), drift(there));
      const half = (x: Tensor) => affineScalar(this.#byRow(square(x)), 0.5);
      const ways = sub(half(kick), mul(half(back), exp(neg(cast(this.#logStep, 'float64')))));
      const odds = add(sub(this.#energy(here), this.#energy(there)), ways);
      const luck = log(stream.uniform([z.rows, 1], 'float64'));
      // Where the odds are no number the row stays.
      const taken = greaterEqual(odds, luck);
      const goes = cast(taken, dtype);
      for (const key of ['prior', 'away'] as const)
        copyInto(here[key], where(taken, there[key], here[key]));
      for (const key of ['z', 'dPrior', 'dAway'] as const)
        copyInto(here[key], where(goes, there[key], here[key]));
      const change = mul(affineScalar(goes, 1, -bestShare), this.#pace);
      copyInto(this.#logStep, add(this.#logStep, change));
    });
  }

  /** The mean of −E. */
  level(): number {
    return scope(() => -mean(this.#energy(this.#here)).item());
  }

  /** [N, D] in the model's space: what the latents are now. */
  rows(): Tensor {
    return scope(() => this.#inverse(this.#here.z));
  }

  #look(z: Tensor): Place {
    return scope(() => {
      const { mask, target, seen } = this.wanted;
      const prior = slopesOf(z, () =>
        neg(this.flow.base.logProb(affineScalar(z, 1 / this.temperature))),
      );
      const away = slopesOf(z, () => {
        const off = mul(sub(seen(this.#inverse(z)), target), mask);
        return affineScalar(sum(square(off), -1, { dtype: 'float64' }), 0.5);
      });
      const column = (values: Tensor) => reshape(values, [z.rows, 1]);
      return {
        z,
        prior: column(prior.values),
        away: column(away.values),
        dPrior: prior.gradient,
        dAway: away.gradient,
      };
    });
  }

  #inverse(z: Tensor): Tensor {
    return this.flow.bijection.inverse(z, this.flow.conditions(this.context)).x;
  }

  #byRow(x: Tensor): Tensor {
    return reshape(sum(x, -1, { dtype: 'float64' }), [x.rows, 1]);
  }

  #energy({ prior, away }: Place): Tensor {
    return add(prior, mul(away, cast(this.#weight, 'float64')));
  }

  #slope({ dPrior, dAway }: Place): Tensor {
    return add(dPrior, mul(dAway, this.#weight));
  }

  dispose(): void {
    for (const tensor of [
      ...Object.values(this.#here),
      ...[this.#logStep, this.#weight, this.#pace],
    ])
      (tensor as Tensor).dispose();
  }
}

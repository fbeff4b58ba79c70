/** What a VAE is trained by besides its ELBO: free bits and the warm-up of the divergence. */
import { expected, FlowError } from '../../errors';
import { maximum, mean, reshape, sum } from '../../ops';
import { scope } from '../../tensor/scope';
import type { Tensor } from '../../tensor/tensor';

export interface FreeBits {
  /** λ, in nats: what each group of latents may carry for nothing. */
  readonly nats: number;
  /** Groups of latents that lie side by side; default one a latent. */
  readonly groups?: number;
}

/** The weight of the divergence rises along a line from `start` to 1. */
export interface Warmup {
  /** Steps until it is 1. */
  readonly steps: number;
  /** Default 0. */
  readonly start?: number;
}

/** @throws FlowError ARGUMENT */
export function checkObjective(freeBits: FreeBits | null, warmup: Warmup | null, latents: number) {
  const check = (what: string, good: boolean, expectation: string, got: unknown) => {
    if (good) return;
    const remedy = 'correct the option, or leave it out';
    throw new FlowError('ARGUMENT', expected('Vae', what, expectation, String(got), remedy));
  };
  if (freeBits) {
    const { nats, groups = latents } = freeBits;
    check('freeBits.nats', nats >= 0 && nats < Infinity, 'a number ≥ 0', nats);
    const divides = Number.isSafeInteger(groups) && groups >= 1 && latents % groups === 0;
    check('freeBits.groups', divides, `a divisor of the ${latents} latents`, groups);
  }
  if (warmup) {
    const { steps, start = 0 } = warmup;
    check('warmup.steps', Number.isSafeInteger(steps) && steps >= 1, 'a whole number ≥ 1', steps);
    check('warmup.start', start >= 0 && start <= 1, 'a number from 0 to 1', start);
  }
}

/** The weight of the divergence in the step after `step` others. */
export function warmupWeight({ steps, start = 0 }: Warmup, step: number): number {
  return step >= steps ? 1 : start + ((1 - start) * step) / steps;
}

/**
 * Σ_g max(λ, mean over the batch of the divergence of group g): Kingma et al. 2016, appendix C.8.
 *
 * @param divergence [N, L], or [N] where there is one group
 * @returns float64 []
 */
export function withFreeBits(divergence: Tensor, { nats, groups = divergence.cols }: FreeBits) {
  return scope(() => {
    if (divergence.shape.length === 1) return maximum(mean(divergence), nats);
    const means = mean(divergence, 0, { dtype: 'float64' });
    const grouped = sum(reshape(means, [groups, divergence.cols / groups]), -1);
    return sum(maximum(grouped, nats));
  });
}

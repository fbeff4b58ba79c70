/** Adam (Kingma and Ba 2015, algorithm 1), AdamW (Loshchilov and Hutter 2019, algorithm 2), clipping and EMA, float64. */

/** Step sizes and decay rates. */
export interface AdamOptions {
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  /** Decoupled (AdamW): p ← p·(1 − lr·weightDecay) before the step. 0 is Adam. */
  readonly weightDecay: number;
}

/** The moments of one parameter array; `step` counts from 0. */
export interface AdamState {
  step: number;
  readonly m: Float64Array;
  readonly v: Float64Array;
}

/** State before the first step. */
export function adamState(size: number): AdamState {
  return { step: 0, m: new Float64Array(size), v: new Float64Array(size) };
}

/** One step, in place: p ← p − lr·m̂/(√v̂ + ε), with the bias-corrected moments m̂, v̂. */
export function adamStep(
  parameter: Float64Array,
  gradient: ArrayLike<number>,
  state: AdamState,
  { lr, beta1, beta2, eps, weightDecay }: AdamOptions,
): void {
  state.step += 1;
  const correction1 = 1 - beta1 ** state.step;
  const correction2 = 1 - beta2 ** state.step;
  for (let i = 0; i < parameter.length; i++) {
    const g = gradient[i]!;
    state.m[i] = beta1 * state.m[i]! + (1 - beta1) * g;
    state.v[i] = beta2 * state.v[i]! + (1 - beta2) * g * g;
    const mHat = state.m[i]! / correction1;
    const vHat = state.v[i]! / correction2;
    const decayed = parameter[i]! * (1 - lr * weightDecay);
    parameter[i] = decayed - (lr * mHat) / (Math.sqrt(vHat) + eps);
  }
}

/** √Σ g² over all elements of all arrays. */
export function globalNorm(gradients: readonly ArrayLike<number>[]): number {
  let sum = 0;
  for (const gradient of gradients) {
    for (let i = 0; i < gradient.length; i++) sum += gradient[i]! * gradient[i]!;
  }
  return Math.sqrt(sum);
}

/**
 * All gradients times min(1, maxNorm/(norm + 1e-6)) (Pascanu et al. 2013, algorithm 1; the 1e-6 is PyTorch's,
 * so that a norm of zero is no division by zero). Gives the norm before.
 */
export function clipByGlobalNorm(gradients: readonly Float64Array[], maxNorm: number): number {
  const norm = globalNorm(gradients);
  const factor = Math.min(1, maxNorm / (norm + 1e-6));
  for (const gradient of gradients) {
    for (let i = 0; i < gradient.length; i++) gradient[i]! *= factor;
  }
  return norm;
}

/** average ← decay·average + (1 − decay)·parameter, in place. */
export function emaUpdate(
  average: Float64Array,
  parameter: ArrayLike<number>,
  decay: number,
): void {
  for (let i = 0; i < average.length; i++) {
    average[i] = decay * average[i]! + (1 - decay) * parameter[i]!;
  }
}

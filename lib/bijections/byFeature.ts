/** Log-determinants feature by feature, where the Jacobian is triangular: what free bits of a group of features count. */
import type { FloatDType } from '../dtype';
import { add, expand } from '../ops';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Affine } from './affine';
import type { Bijection } from './bijection';
import { Chain } from './chain';
import { MaskedAutoregressive } from './maskedAutoregressive';
import { Permutation } from './permutation';

export interface ForwardByFeature {
  /** [N, D] */
  readonly y: Tensor;
  /** [N, D] of x's type: the summands of log|det ∂y/∂x|, each in the column of y that it belongs to; null: all zero. */
  readonly logDets: Tensor | null;
}

/** Whether {@link forwardByFeature} knows the bijection: autoregressive and affine maps, permutations, chains of them. */
export function isByFeature(bijection: Bijection): boolean {
  if (bijection instanceof Chain) return bijection.bijections.every(isByFeature);
  return [MaskedAutoregressive, Affine, Permutation].some((kind) => bijection instanceof kind);
}

/** The forward pass of a bijection that {@link isByFeature} names, its log-determinant taken apart. */
export function forwardByFeature(
  bijection: Bijection,
  x: Tensor,
  context: Tensor | null,
): ForwardByFeature {
  return scope(() => {
    if (bijection instanceof MaskedAutoregressive) return bijection.forwardByFeature(x, context);
    if (bijection instanceof Affine) {
      const dtype = x.dtype as FloatDType;
      const logDets = expand(bijection.logScale, x.shape, { dtype });
      return { y: bijection.forward(x).y, logDets };
    }
    if (!(bijection instanceof Chain)) return { y: bijection.forward(x).y, logDets: null };
    let y = x;
    let logDets: Tensor | null = null;
    for (const part of bijection.bijections) {
      const step = forwardByFeature(part, y, part.contextFeatures > 0 ? context : null);
      // What came before goes where its column goes.
      if (logDets && part instanceof Permutation) logDets = part.forward(logDets).y;
      else if (logDets && step.logDets) logDets = add(logDets, step.logDets);
      else logDets ??= step.logDets;
      y = step.y;
    }
    return { y, logDets };
  });
}

/** Columns that belong to those of y, [N, D], put to those of x: what the permutations in a chain moved is moved back. */
export function columnsOfInput(bijection: Bijection, columns: Tensor): Tensor {
  if (bijection instanceof Permutation) return bijection.inverse(columns).x;
  if (!(bijection instanceof Chain)) return columns;
  return scope(() =>
    bijection.bijections.reduceRight((c, part) => columnsOfInput(part, c), columns),
  );
}

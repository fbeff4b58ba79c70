/** Hidden layers of MADE and MLPs: what is asked of their widths, and layers in pairs with a connection around each. */
import { expected, FlowError } from '../errors';
import { type Activation, activate } from '../ops';
import { requireSizes } from '../shape';
import type { Tensor } from '../tensor/tensor';

/**
 * @param sizes others, by the names of their options
 * @throws FlowError ARGUMENT unless all are whole numbers of at least 1, and `hidden` a list of such: with `residual` an odd
 *   number of equal ones
 */
export function requireHidden(
  where: string,
  sizes: Readonly<Record<string, number>>,
  hidden: readonly number[],
  residual = false,
): void {
  if (!Array.isArray(hidden)) {
    const remedy = 'pass one number a hidden layer: [64, 64]';
    throw new FlowError(
      'ARGUMENT',
      expected(where, 'hidden', 'a list of widths', typeof hidden, remedy),
    );
  }
  const widths = hidden.map((units, k) => [`hidden[${k}]`, units]);
  requireSizes(where, { ...sizes, ...Object.fromEntries(widths) }, 'pass the width of the layer');
  const uneven = hidden.length % 2 === 0 || hidden.some((units) => units !== hidden[0]);
  if (hidden.length > 0 && !(residual && uneven)) return;
  throw new FlowError(
    'ARGUMENT',
    expected(
      where,
      'hidden',
      residual
        ? 'with residual: one layer and pairs of layers, all of the same width'
        : 'at least one layer',
      `[${hidden.join(', ')}]`,
      'pass for instance [256, 256, 256]',
    ),
  );
}

interface Layer {
  apply(x: Tensor, addend?: Tensor | null): Tensor;
}

/**
 * What such layers make: h = first(x); h ← h + second(act(first(act(h)))) pair by pair; act(h). He et al. 2016, "Identity
 * Mappings in Deep Residual Networks" (pre-activation): the layers themselves have no activation.
 *
 * @param term added to what the first layer makes
 */
export function residualHidden(
  [first, ...pairs]: readonly Layer[],
  x: Tensor,
  term: Tensor | null,
  activation: Activation,
): Tensor {
  let h = (first as Layer).apply(x, term);
  for (let k = 0; k + 1 < pairs.length; k += 2) {
    const inner = (pairs[k] as Layer).apply(activate(h, activation));
    h = (pairs[k + 1] as Layer).apply(activate(inner, activation), h);
  }
  return activate(h, activation);
}

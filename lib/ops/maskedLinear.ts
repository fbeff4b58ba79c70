/** Linear maps whose weight is a staircase: what the mask removes is neither read nor computed. */
import { expected, FlowError } from '../errors';
import { anything, checkOptions, type Rules, required } from '../options';
import type { Tensor } from '../tensor/tensor';
import { type Activation, encodeActivation } from './activation';
import { activationGrad } from './activationGrad';
import { requireShape } from './check';
import { apply, type OpDefinition } from './define';
import { type LinearOptions, linearOutput, linearRules } from './linear';
import { maskedLinearGradInput } from './maskedLinearGradInput';
import { maskedLinearGradWeight } from './maskedLinearGradWeight';

export interface MaskedLinearOptions extends LinearOptions {
  /** int32 [out]: output o sees the inputs i < extents[o]. Any order; sorted extents are fastest. */
  readonly extents: Tensor;
}

interface Attributes {
  readonly activation: Activation;
}

export function requireExtents(where: string, extents: Tensor | null | undefined, units: number) {
  if (extents?.dtype !== 'int32') {
    throw new FlowError(
      'DTYPE',
      expected(where, 'extents', 'int32', extents?.dtype ?? 'none', 'pass an Int32Array tensor'),
    );
  }
  requireShape(where, 'extents', extents, [units], 'one extent an output');
}

const definition: OpDefinition<Attributes> = {
  name: 'masked_linear',
  outputs([x, weight, bias, addend, extents]) {
    const output = linearOutput('maskedLinear', x, weight, bias, addend);
    requireExtents('maskedLinear', extents, weight?.rows ?? 0);
    return [output];
  },
  encode: ({ activation }) => encodeActivation('maskedLinear', activation),
  saves: { inputs: [0, 1, 4], outputs: [0] },
  vjp({ inputs, outputs: [y], d, needs, attributes: { activation } }) {
    const [x, weight, extents] = inputs as [Tensor, Tensor, Tensor];
    const { dPre, dBias } = activationGrad(d[0] as Tensor, y ?? null, activation, {
      input: needs[0] || needs[1] || needs[3] || false,
      bias: needs[2] ?? false,
    });
    return [
      needs[0] ? maskedLinearGradInput(dPre as Tensor, weight, extents) : null,
      needs[1] ? maskedLinearGradWeight(dPre as Tensor, x, extents) : null,
      dBias,
      needs[3] ? dPre : null,
      null,
    ];
  },
};
const withoutActivation: OpDefinition<Attributes> = {
  ...definition,
  saves: { inputs: [0, 1, 4], outputs: [] },
};

const maskedLinearRules: Rules<MaskedLinearOptions> = {
  ...linearRules,
  extents: required(anything),
};

/**
 * y = act(x · (W ⊙ mask)ᵀ + bias + addend), mask[o, i] = i < extents[o]. Entries of the weight outside of the mask
 * are ignored and their gradient is exactly zero. Differentiable as {@link linear} is.
 *
 * @param x [.., in]
 * @param weight [out, in]
 * @param bias [out] or null
 * @returns [.., out]
 * @throws FlowError SHAPE, DTYPE, ARGUMENT; NATIVE where an extent is not between 0 and in
 */
export function maskedLinear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: MaskedLinearOptions,
): Tensor {
  checkOptions('maskedLinear', options, maskedLinearRules);
  const { extents, activation = 'none', addend = null } = options;
  const op = activation === 'none' ? withoutActivation : definition;
  return apply(op, [x, weight, bias, addend, extents], { activation })[0] as Tensor;
}

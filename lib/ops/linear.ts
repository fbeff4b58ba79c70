/** Affine maps of rows, with bias, addend and activation in the epilogue of the product. */
import { expected, FlowError } from '../errors';
import { anything, checkOptions, type Rules } from '../options';
import { formatShape } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { type Activation, encodeActivation } from './activation';
import { activationGrad } from './activationGrad';
import { requireFloat, requireSameDType, requireShape } from './check';
import { apply, type OpDefinition } from './define';
import { leadingOf, matmul } from './matmul';

export interface LinearOptions {
  /** Applied to x·Wᵀ + bias + addend. Default none. */
  readonly activation?: Activation;
  /** [.., out], added before the activation: the part of the context, a direct connection, a residual. */
  readonly addend?: Tensor | null;
}

interface Attributes {
  readonly activation: Activation;
}

/** The shape rule of linear and maskedLinear. */
export function linearOutput(
  where: string,
  x: Tensor | null | undefined,
  weight: Tensor | null | undefined,
  bias: Tensor | null | undefined,
  addend: Tensor | null | undefined,
) {
  if (!x || !weight) {
    throw new FlowError(
      'ARGUMENT',
      `[${where}] operands: expected x and weight, got fewer: pass tensors`,
    );
  }
  requireFloat(where, 'x', x);
  requireSameDType(where, 'weight', weight, x);
  if (weight.shape.length !== 2 || weight.cols !== x.cols) {
    throw new FlowError(
      'SHAPE',
      expected(
        where,
        'weight',
        `shape [out, in] = [out, ${x.cols}] for x ${formatShape(x.shape)}`,
        formatShape(weight.shape),
        'the last axis of x are the inputs, the rows of the weight the outputs',
      ),
    );
  }
  const shape = [...leadingOf(x), weight.rows];
  if (bias) {
    requireSameDType(where, 'bias', bias, x);
    requireShape(where, 'bias', bias, [weight.rows], 'one number an output');
  }
  if (addend) {
    requireSameDType(where, 'addend', addend, x);
    requireShape(where, 'addend', addend, shape, 'it is added to the result as it is');
  }
  return { shape, dtype: x.dtype };
}

const definition: OpDefinition<Attributes> = {
  name: 'linear',
  outputs: ([x, weight, bias, addend]) => [linearOutput('linear', x, weight, bias, addend)],
  encode: ({ activation }) => encodeActivation('linear', activation),
  saves: { inputs: [0, 1], outputs: [0] },
  vjp({ inputs, outputs: [y], d, needs, attributes: { activation } }) {
    const [x, weight] = inputs as [Tensor, Tensor];
    const { dPre, dBias } = activationGrad(d[0] as Tensor, y ?? null, activation, {
      input: needs[0] || needs[1] || needs[3] || false,
      bias: needs[2] ?? false,
    });
    return [
      needs[0] ? matmul(dPre as Tensor, weight) : null,
      needs[1] ? matmul(dPre as Tensor, x, { transposeA: true }) : null,
      dBias,
      needs[3] ? dPre : null,
    ];
  },
};
/** Without an activation the output is not needed for the gradient. */
const withoutActivation: OpDefinition<Attributes> = {
  ...definition,
  saves: { inputs: [0, 1], outputs: [] },
};

/** What each of them must be. */
export const linearRules: Rules<LinearOptions> = { activation: anything, addend: anything };

/**
 * y = act(x · Wᵀ + bias + addend), on every row of x. Differentiable any number of times.
 *
 * @param x [.., in]
 * @param weight [out, in]
 * @param bias [out] or null
 * @returns [.., out]
 * @throws FlowError SHAPE, DTYPE, ARGUMENT (unknown activation)
 */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: LinearOptions = {},
): Tensor {
  checkOptions('linear', options, linearRules);
  const { activation = 'none', addend = null } = options;
  const op = activation === 'none' ? withoutActivation : definition;
  return apply(op, [x, weight, bias, addend], { activation })[0] as Tensor;
}

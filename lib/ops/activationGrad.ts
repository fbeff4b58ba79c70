/** The backward pass of an activation, with the gradient of the bias before it. */
import type { Tensor } from '../tensor/tensor';
import { type Activation, encodeActivation } from './activation';
import { add, mul } from './binary';
import { apply, type OpDefinition } from './define';
import { expand } from './sum';

interface Attributes {
  readonly activation: Activation;
  /** 1: act'(z) written in y = act(z); n: its derivative of order n − 1 by y. */
  readonly order: number;
  readonly wantsInput: boolean;
  readonly wantsBias: boolean;
}

const definition: OpDefinition<Attributes> = {
  name: 'activation_grad',
  outputs([dy], { wantsInput, wantsBias }) {
    const { shape, dtype, cols } = dy as Tensor;
    return [
      ...(wantsInput ? [{ shape, dtype }] : []),
      ...(wantsBias ? [{ shape: [cols], dtype }] : []),
    ];
  },
  encode: ({ activation, order, wantsInput, wantsBias }) => [
    ...encodeActivation('activationGrad', activation),
    order,
    (wantsInput ? 1 : 0) + (wantsBias ? 2 : 0),
  ],
  saves: { inputs: [0, 1], outputs: [] },
  vjp({ inputs: [dy, y], d, needs, attributes }) {
    const { activation, order, wantsInput, wantsBias } = attributes;
    if (dy == null) return [null, null];
    const dInput = wantsInput ? (d[0] ?? null) : null;
    const dBias = wantsBias ? (d[d.length - 1] ?? null) : null;
    // Each row of dy reaches the column sums: the bias' cotangent goes to every row.
    let g = dInput;
    if (dBias !== null) g = dInput === null ? expand(dBias, dy.shape) : add(dInput, dBias);
    if (g === null) return [null, null];
    if (y == null) return [needs[0] ? g : null, null];
    const by = (order: number): Tensor =>
      apply(definition, [g, y], {
        activation,
        order,
        wantsInput: true,
        wantsBias: false,
      })[0] as Tensor;
    return [needs[0] ? by(order) : null, needs[1] ? mul(by(order + 1), dy) : null];
  },
};

export interface PreActivationGradient {
  /** dL/dz [.., C]; null where it was not wanted. */
  readonly dPre: Tensor | null;
  /** Its column sums [C]; null where they were not wanted. */
  readonly dBias: Tensor | null;
}

/**
 * dL/dz of y = act(z) from dL/dy and y, and its column sums in the same pass.
 *
 * @param dy [.., C]
 * @param y [.., C], or null where the activation is none
 * @param wants which of the two results are needed
 */
export function activationGrad(
  dy: Tensor,
  y: Tensor | null,
  activation: Activation,
  wants: { input: boolean; bias: boolean },
): PreActivationGradient {
  const identity = activation === 'none';
  const wantsInput = wants.input && !identity;
  let dPre: Tensor | null = wants.input && identity ? dy : null;
  let dBias: Tensor | null = null;
  if (wantsInput || wants.bias) {
    const made = apply(definition, [dy, identity ? null : y], {
      activation,
      order: 1,
      wantsInput,
      wantsBias: wants.bias,
    });
    if (wantsInput) dPre = made[0] as Tensor;
    if (wants.bias) dBias = made[made.length - 1] as Tensor;
  }
  return { dPre, dBias };
}

/** Activations of linear layers. */
import { expected, FlowError } from '../errors';
import { type Rule, word } from '../options';
import type { Tensor } from '../tensor/tensor';
import { unary } from './unary';

/**
 * What a linear layer applies to z. elu: z > 0 ? z : exp(z) − 1; leakyRelu: z > 0 ? z : 0.01·z;
 * softplus: log(1 + exp(z)).
 */
export type Activation = 'none' | 'relu' | 'tanh' | 'sigmoid' | 'elu' | 'leakyRelu' | 'softplus';

/** As in native/simd/gemm.h. */
const codes: Record<Activation, number> = {
  none: 0,
  relu: 1,
  tanh: 2,
  sigmoid: 3,
  elu: 4,
  leakyRelu: 5,
  softplus: 6,
};
const parameters: Partial<Record<Activation, number>> = { elu: 1, leakyRelu: 0.01 };

export function isActivation(value: unknown): value is Activation {
  return typeof value === 'string' && Object.hasOwn(codes, value);
}

/** What an option `activation` must be. */
export const activationRule: Rule = word(...Object.keys(codes));

/** Code and parameter of an activation, as the native ops read them. */
export function encodeActivation(where: string, activation: Activation): [number, number] {
  if (!isActivation(activation)) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        where,
        'activation',
        `one of ${Object.keys(codes).join(', ')}`,
        String(activation),
        'pass one of these names',
      ),
    );
  }
  return [codes[activation], parameters[activation] ?? 0];
}

/** The activation as an op of its own. */
export function activate(x: Tensor, activation: Activation): Tensor {
  const [, parameter] = encodeActivation('activate', activation);
  return activation === 'none' ? x : unary(activation, x, parameter);
}

/** Activations of slope at most 1 with their slope: the layers of residual flows, and forward mode through them. */
import { expected, FlowError } from '../errors';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { refuseSecondGradient, requireFloat, requireSameDType } from './check';
import { apply, type OpDefinition } from './define';

/**
 * lipSwish: z·σ(βz)/1.1, β > 0 (Chen et al. 2019, "Residual Flows for Invertible Generative Modeling", section 3.3);
 * elu: z > 0 ? z : exp(z) − 1; tanh; softplus: log(1 + exp(z)). All have slopes of at most 1 in absolute value.
 */
export type SmoothActivation = 'lipSwish' | 'elu' | 'tanh' | 'softplus';

/** In the order of native/math/activation_slope.h. */
const kinds: readonly SmoothActivation[] = ['lipSwish', 'elu', 'tanh', 'softplus'];

export function isSmoothActivation(value: unknown): value is SmoothActivation {
  return kinds.includes(value as SmoothActivation);
}

export interface ActivationSlope {
  readonly y: Tensor;
  readonly slope: Tensor;
}

interface Attributes {
  readonly kind: SmoothActivation;
}

const definition: OpDefinition<Attributes> = {
  name: 'activation_slope',
  outputs([first, beta], { kind }) {
    const z = first as Tensor;
    requireFloat('activationSlope', 'z', z);
    if (!kinds.includes(kind)) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'activationSlope',
          'kind',
          `one of ${kinds.join(', ')}`,
          String(kind),
          'pass one of these names',
        ),
      );
    }
    const wants = kind === 'lipSwish';
    if (wants !== Boolean(beta) || (beta && beta.size !== 1)) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'activationSlope',
          'beta',
          wants ? 'one number' : 'none',
          beta ? `${beta.size} numbers` : 'none',
          wants ? 'pass the factor of lipSwish, [1]' : `${kind} has no parameter`,
        ),
      );
    }
    if (beta) requireSameDType('activationSlope', 'beta', beta, z);
    const { shape, dtype } = z;
    return [
      { shape, dtype },
      { shape, dtype },
    ];
  },
  encode: ({ kind }) => [kinds.indexOf(kind)],
  saves: { inputs: [0, 1], outputs: [] },
  vjp({ inputs: [z, beta], d: [dy, dSlope], needs, attributes: { kind } }) {
    const given = [z as Tensor, beta ?? null, dy ?? null, dSlope ?? null];
    refuseSecondGradient('activationSlope', given);
    const like = (tensor: Tensor | null | undefined, wanted: boolean | undefined) =>
      tensor && wanted ? { shape: tensor.shape, dtype: tensor.dtype } : null;
    const wanted = [like(z, needs[0]), like(beta, needs[1])];
    const made = execute('activation_slope_grad', given, wanted, [kinds.indexOf(kind)]);
    return [wanted[0] ? (made[0] as Tensor) : null, wanted[1] ? (made.at(-1) as Tensor) : null];
  },
};

/**
 * f(z) and f′(z) in one pass. Both are differentiable (f″ is there); the gradient cannot be differentiated again.
 *
 * @param z [.., C] float32 or float64
 * @param beta [1], the factor of lipSwish; null for the others
 * @throws FlowError ARGUMENT, DTYPE
 */
export function activationSlope(
  z: Tensor,
  kind: SmoothActivation,
  beta: Tensor | null = null,
): ActivationSlope {
  const [y, slope] = apply(definition, [z, beta], { kind }) as [Tensor, Tensor];
  return { y, slope };
}

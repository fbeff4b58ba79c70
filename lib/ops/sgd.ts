/** Gradient descent with momentum for all parameters of a model in one instruction. */
import { expected, FlowError } from '../errors';
import { checkArgument, checkOptions, from0, number, object, required } from '../options';
import { execute } from '../tensor/execute';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { requireLists } from './adam';
import { requireTensors } from './check';

/** Positions in the state of {@link sgd}. */
export const sgdState = { lr: 0, momentum: 1, weightDecay: 2, maxNorm: 3 } as const;

/** The state tensor [4] float64 of {@link sgd}. */
export function makeSgdState(options: {
  readonly lr: number;
  readonly momentum?: number;
  readonly weightDecay?: number;
  readonly maxNorm?: number;
}): Tensor {
  checkOptions('sgd', options, {
    lr: required(from0),
    momentum: number,
    weightDecay: number,
    maxNorm: number,
  });
  const { lr, momentum = 0, weightDecay = 0, maxNorm = Number.POSITIVE_INFINITY } = options;
  if (!(lr >= 0) || !(momentum >= 0) || !(weightDecay >= 0) || !(maxNorm > 0)) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        'sgd',
        'options',
        'lr, momentum, weightDecay ≥ 0, maxNorm > 0',
        JSON.stringify({ lr, momentum, weightDecay, maxNorm }),
        'the usual ones are lr 1e-2, momentum 0.9',
      ),
    );
  }
  return tensorOfArray(Float64Array.of(lr, momentum, weightDecay, maxNorm), [4]);
}

export interface SgdOperands {
  /** [4] float64; see {@link sgdState}. */
  readonly state: Tensor;
  readonly parameters: readonly Tensor[];
  /** null: the parameter is left alone. */
  readonly gradients: readonly (Tensor | null)[];
  /** Momentum buffers, zero before the first step. */
  readonly buffers: readonly Tensor[];
  /** Global gradient norm (float64): the gradients are scaled by min(1, maxNorm/(norm + 1e-6)). */
  readonly norm?: Tensor | null;
  /** int32 [1]: where it is 0 or more, as of {@link checkFinite}, nothing is changed. */
  readonly skip?: Tensor | null;
  readonly nesterov?: boolean;
}

/** One step, in place, by the formula of torch.optim.SGD (dampening 0). */
export function sgd(operands: SgdOperands): void {
  checkArgument('sgd', 'operands', operands, object);
  requireTensors('sgd', 'parameters', operands.parameters);
  const { state, parameters, gradients, buffers } = operands;
  const { norm = null, skip = null, nesterov = false } = operands;
  requireLists('sgd', parameters.length, { gradients, buffers });
  const updated = [state, ...parameters, ...buffers];
  execute('sgd', [norm, skip, ...gradients], updated, [nesterov ? 1 : 0]);
}

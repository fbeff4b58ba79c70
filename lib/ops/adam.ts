/** Adam and AdamW for all parameters of a model in one instruction. */
import { expected, FlowError } from '../errors';
import {
  checkArgument,
  checkOptions,
  described,
  from0,
  number,
  object,
  type Rules,
  required,
} from '../options';
import { execute } from '../tensor/execute';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { requireTensors } from './check';

/** Positions in the state of {@link adam}: a recorded step reads them anew at each run. */
export const adamState = {
  /** Steps taken; the op adds 1. */
  step: 0,
  lr: 1,
  beta1: 2,
  beta2: 3,
  eps: 4,
  weightDecay: 5,
  /** Used where a norm is passed. */
  maxNorm: 6,
} as const;

export interface AdamOptions {
  readonly lr: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
  readonly weightDecay?: number;
  readonly maxNorm?: number;
}

const adamRules: Rules<AdamOptions> = {
  lr: required(from0),
  beta1: number,
  beta2: number,
  eps: number,
  weightDecay: number,
  maxNorm: number,
};

/** The state tensor [7] float64 of {@link adam}, at step 0. PyTorch's defaults. */
export function makeAdamState(options: AdamOptions): Tensor {
  checkOptions('adam', options, adamRules);
  const { lr, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0 } = options;
  const { maxNorm = Number.POSITIVE_INFINITY } = options;
  const valid = lr >= 0 && beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1 && eps >= 0;
  if (!valid || !(weightDecay >= 0) || !(maxNorm > 0)) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        'adam',
        'options',
        'lr, eps, weightDecay ≥ 0, 0 ≤ beta < 1, maxNorm > 0',
        JSON.stringify({ lr, beta1, beta2, eps, weightDecay, maxNorm }),
        'the usual ones are lr 1e-3, beta1 0.9, beta2 0.999, eps 1e-8',
      ),
    );
  }
  return tensorOfArray(Float64Array.of(0, lr, beta1, beta2, eps, weightDecay, maxNorm), [7]);
}

/** Lists of one length for the tensors of a model; element i of each belongs to parameter i. */
export interface AdamOperands {
  /** [7] float64; see {@link adamState}. Its step is increased. */
  readonly state: Tensor;
  readonly parameters: readonly Tensor[];
  /** null: the parameter is left alone. */
  readonly gradients: readonly (Tensor | null)[];
  /** Zero before the first step. */
  readonly firstMoments: readonly Tensor[];
  readonly secondMoments: readonly Tensor[];
  /** Global gradient norm (float64): the gradients are scaled by min(1, maxNorm/(norm + 1e-6)). */
  readonly norm?: Tensor | null;
  /** int32 [1]: where it is 0 or more, as of {@link checkFinite}, nothing is changed. A recorded step reads it anew at each run. */
  readonly skip?: Tensor | null;
  /** int32 [rows] of a masked weight, which is zero beyond its extents: that part is skipped. */
  readonly extents?: readonly (Tensor | null)[];
  /** AdamW: weight decay beside the step instead of in the gradient. */
  readonly decoupled?: boolean;
}

/** Throws unless each list has one element a parameter. */
export function requireLists(
  where: string,
  length: number,
  lists: Record<string, readonly unknown[]>,
) {
  for (const [name, list] of Object.entries(lists)) {
    if (Array.isArray(list) && list.length === length) continue;
    throw new FlowError(
      'ARGUMENT',
      expected(
        where,
        name,
        `${length} entries, one a parameter`,
        Array.isArray(list) ? `${list.length}` : described(list),
        'pass all lists in one order',
      ),
    );
  }
}

/**
 * One step, in place. References: Kingma, Ba, "Adam: A Method for Stochastic Optimization" (2015); Loshchilov, Hutter,
 * "Decoupled Weight Decay Regularization" (2019). The formula is that of torch.optim.Adam and AdamW.
 *
 * @throws FlowError ARGUMENT where the lists differ in length; NATIVE where shapes or dtypes do not fit
 */
export function adam(operands: AdamOperands): void {
  checkArgument('adam', 'operands', operands, object);
  requireTensors('adam', 'parameters', operands.parameters);
  const { state, parameters, gradients, firstMoments, secondMoments } = operands;
  const { norm = null, skip = null, extents, decoupled = false } = operands;
  requireLists('adam', parameters.length, {
    gradients,
    firstMoments,
    secondMoments,
    ...(extents && { extents }),
  });
  const useExtents = extents?.some((extent) => extent !== null) ?? false;
  execute(
    'adam',
    [norm, skip, ...gradients, ...(useExtents && extents ? extents : [])],
    [state, ...parameters, ...firstMoments, ...secondMoments],
    [decoupled ? 1 : 0],
  );
}

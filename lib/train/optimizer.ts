/**
 * Optimizers: how a gradient becomes a change of the parameters.
 *
 * `adam({...})` and its like only describe; `create` makes the running optimizer, whose whole state is in tensors, so
 * that it can be saved, and whose update is one native instruction, so that it can be part of a program.
 */
import { expected, FlowError } from '../errors';
import {
  adamState,
  makeAdamState,
  makeSgdState,
  adam as runAdam,
  sgd as runSgd,
  sgdState,
  zeros,
} from '../ops';
import { checkOptions, flag, number, type Rules } from '../options';
import type { Tensor } from '../tensor/tensor';
import type { Parameter } from './parameters';

/** What `fit` takes: a kind of optimizer and its settings. */
export interface OptimizerSpec {
  readonly kind: 'adam' | 'adamW' | 'sgd';
  readonly learningRate: number;
  /** The settings, for the log and for the comparison with a checkpoint. */
  readonly settings: Readonly<Record<string, number | boolean>>;
  /** @param maxNorm where the norm of the gradients is clipped; Infinity: nowhere */
  create(parameters: readonly Parameter[], maxNorm: number): Optimizer;
}

/** A running optimizer. */
export interface Optimizer {
  /** Everything that must be saved, by name. */
  readonly state: ReadonlyMap<string, Tensor>;
  setLearningRate(learningRate: number): void;
  /**
   * Changes the parameters in place.
   *
   * @param gradients one a parameter, null where the loss does not depend on it
   * @param norm float64 scalar, the norm of all gradients together, where they are to be clipped; else null
   * @param skip int32 [1], as of checkFinite: where it is 0 or more, nothing is changed
   */
  update(gradients: readonly (Tensor | null)[], norm: Tensor | null, skip?: Tensor | null): void;
  dispose(): void;
}

export interface AdamOptions {
  /** Learning rate; default 1e-3. */
  readonly lr?: number;
  /** Decay of the first moment; default 0.9. */
  readonly beta1?: number;
  /** Decay of the second moment; default 0.999. */
  readonly beta2?: number;
  /** Added to the root of the second moment; default 1e-8. */
  readonly eps?: number;
  /** Default 0. adam: added to the gradient (L2); adamW: subtracted from the parameters (decoupled). */
  readonly weightDecay?: number;
}

export interface SgdOptions {
  /** Learning rate; default 1e-2. */
  readonly lr?: number;
  /** Default 0. */
  readonly momentum?: number;
  readonly nesterov?: boolean;
  /** Default 0. */
  readonly weightDecay?: number;
}

const adamRules: Rules<AdamOptions> = {
  lr: number,
  beta1: number,
  beta2: number,
  eps: number,
  weightDecay: number,
};
const sgdRules: Rules<SgdOptions> = {
  lr: number,
  momentum: number,
  nesterov: flag,
  weightDecay: number,
};

/** Adam (Kingma, Ba 2015, "Adam: A Method for Stochastic Optimization"), with PyTorch's formula and defaults. */
export function adam(options: AdamOptions = {}): OptimizerSpec {
  return adamSpec('adam', checkOptions('adam', options, adamRules));
}

/** AdamW (Loshchilov, Hutter 2019, "Decoupled Weight Decay Regularization"). Default weight decay 0.01. */
export function adamW(options: AdamOptions = {}): OptimizerSpec {
  checkOptions('adamW', options, adamRules);
  return adamSpec('adamW', { weightDecay: 0.01, ...options });
}

/** Gradient descent, with momentum (PyTorch's form: b ← momentum·b + g, p ← p − lr·b). */
export function sgd(options: SgdOptions = {}): OptimizerSpec {
  checkOptions('sgd', options, sgdRules);
  const { lr = 1e-2, momentum = 0, nesterov = false, weightDecay = 0 } = options;
  check('sgd', 'lr', lr, lr >= 0 && lr < Infinity, 'a number ≥ 0');
  check('sgd', 'momentum', momentum, momentum >= 0 && momentum < 1, 'a number in [0, 1)');
  check('sgd', 'weightDecay', weightDecay, weightDecay >= 0, 'a number ≥ 0');
  return {
    kind: 'sgd',
    learningRate: lr,
    settings: { momentum, nesterov, weightDecay },
    create: (parameters, maxNorm) =>
      new GroupedOptimizer(parameters, {
        makeState: () => makeSgdState({ lr, momentum, weightDecay, maxNorm }),
        learningRateAt: sgdState.lr,
        moments: ['momentum'],
        run: ({ state, group, gradients, moments: [buffers = []], norm, skip }) => {
          const lists = { parameters: group.map(tensorOf), gradients, buffers };
          runSgd({ state, ...lists, norm, skip, nesterov });
        },
      }),
  };
}

function adamSpec(kind: 'adam' | 'adamW', options: AdamOptions): OptimizerSpec {
  const { lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0 } = options;
  check(kind, 'lr', lr, lr >= 0 && lr < Infinity, 'a number ≥ 0');
  check(kind, 'beta1', beta1, beta1 >= 0 && beta1 < 1, 'a number in [0, 1)');
  check(kind, 'beta2', beta2, beta2 >= 0 && beta2 < 1, 'a number in [0, 1)');
  check(kind, 'eps', eps, eps >= 0 && eps < Infinity, 'a number ≥ 0');
  check(kind, 'weightDecay', weightDecay, weightDecay >= 0, 'a number ≥ 0');
  return {
    kind,
    learningRate: lr,
    settings: { beta1, beta2, eps, weightDecay },
    create: (parameters, maxNorm) =>
      new GroupedOptimizer(parameters, {
        makeState: () => makeAdamState({ lr, beta1, beta2, eps, weightDecay, maxNorm }),
        learningRateAt: adamState.lr,
        moments: ['first', 'second'],
        run: ({ state, group, gradients, moments, norm, skip }) => {
          const [firstMoments = [], secondMoments = []] = moments;
          const parameters = group.map(tensorOf);
          const extents = group.map((parameter) => parameter.extents);
          const decoupled = kind === 'adamW';
          const lists = { parameters, gradients, firstMoments, secondMoments, extents };
          runAdam({ state, ...lists, norm, skip, decoupled });
        },
      }),
  };
}

const tensorOf = (parameter: Parameter): Tensor => parameter.tensor;

function check(where: string, what: string, value: number, good: boolean, expectation: string) {
  if (good) return;
  throw new FlowError(
    'ARGUMENT',
    expected(where, what, expectation, String(value), 'correct the option'),
  );
}

/** One instruction on a group of parameters. */
interface GroupUpdate {
  /** The op's vector of hyper-parameters. */
  readonly state: Tensor;
  readonly group: readonly Parameter[];
  readonly gradients: readonly (Tensor | null)[];
  readonly moments: readonly (readonly Tensor[])[];
  readonly norm: Tensor | null;
  readonly skip: Tensor | null;
}

interface Recipe {
  makeState(): Tensor;
  /** Where in the state the learning rate is. */
  readonly learningRateAt: number;
  /** Names of the moments, each a tensor like its parameter, zero at the start. */
  readonly moments: readonly string[];
  run(update: GroupUpdate): void;
}

/** An instruction takes at most 4096 operands, and Adam five a parameter. */
const groupSize = 800;

class GroupedOptimizer implements Optimizer {
  readonly state: ReadonlyMap<string, Tensor>;
  readonly #recipe: Recipe;
  readonly #groups: readonly Omit<GroupUpdate, 'gradients' | 'norm' | 'skip'>[];
  readonly #rates: Tensor[] = [];
  #learningRate = Number.NaN;

  constructor(parameters: readonly Parameter[], recipe: Recipe) {
    this.#recipe = recipe;
    const named = new Map<string, Tensor>();
    const groups = [];
    for (let first = 0; first < parameters.length; first += groupSize) {
      const group = parameters.slice(first, first + groupSize);
      const state = recipe.makeState();
      named.set(first === 0 ? 'hyper' : `hyper.${first}`, state);
      this.#rates.push(state.view([1], recipe.learningRateAt));
      const moments = recipe.moments.map((moment) =>
        group.map(({ name, tensor }) => {
          const values = zeros(tensor.shape, tensor.dtype);
          named.set(`${moment}/${name}`, values);
          return values;
        }),
      );
      groups.push({ state, group, moments });
    }
    this.#groups = groups;
    this.state = named;
  }

  setLearningRate(learningRate: number): void {
    if (learningRate === this.#learningRate) return;
    this.#learningRate = learningRate;
    for (const rate of this.#rates) rate.write(Float64Array.of(learningRate));
  }

  update(
    gradients: readonly (Tensor | null)[],
    norm: Tensor | null,
    skip: Tensor | null = null,
  ): void {
    let first = 0;
    for (const update of this.#groups) {
      const end = first + update.group.length;
      this.#recipe.run({ ...update, gradients: gradients.slice(first, end), norm, skip });
      first = end;
    }
  }

  dispose(): void {
    for (const tensor of [...this.#rates, ...this.state.values()]) tensor.dispose();
  }
}

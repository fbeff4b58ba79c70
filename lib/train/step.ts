/**
 * A training step: loss, gradients, update. Recorded while it runs for the first time and then replayed: two native
 * calls, one up to the gradients and, once these are known to be finite, one that changes the weights.
 */
import { valueAndGradient } from '../autograd/gradient';
import type { ActivationMemory } from '../bijections/activations';
import { isFlowError } from '../errors';
import type { Module } from '../nn/module';
import {
  add,
  affineScalar,
  cast,
  checkFinite,
  copyInto,
  gradNorm,
  type RandomStream,
  zeros,
} from '../ops';
import { type Program, record } from '../tensor/program';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { MovingAverage } from './ema';
import { MemoryPlan } from './memoryPlan';
import type { Optimizer, OptimizerSpec } from './optimizer';
import { type Parameter, parametersOf } from './parameters';
import { Snapshot } from './snapshot';

export interface LearnerOptions {
  readonly optimizer: OptimizerSpec;
  /** Largest norm of the gradients; Infinity: they are not clipped. */
  readonly clipNorm: number;
  /** Decay of the moving average of the weights; null: none is kept. */
  readonly ema: number | null;
  readonly stream: RandomStream;
  readonly compile: boolean;
  /** Default: everything is taped. */
  readonly memory?: MemoryPlan;
}

/** What the steps of a training change. */
export class Learner {
  readonly parameters: readonly Parameter[];
  readonly optimizer: Optimizer;
  readonly average: MovingAverage | null;
  readonly stream: RandomStream;
  readonly clips: boolean;
  compile: boolean;
  readonly memory: MemoryPlan;
  /** Σ loss·weight over the steps since it was last set to zero: float64 [1]. */
  readonly lossSum: Tensor;
  /** Running statistics and random state as they were before the step, should it fail. */
  readonly guard: Snapshot;

  constructor(model: Module, options: LearnerOptions) {
    this.parameters = parametersOf(model);
    this.optimizer = options.optimizer.create(this.parameters, options.clipNorm);
    this.average = options.ema === null ? null : new MovingAverage(this.parameters, options.ema);
    this.stream = options.stream;
    this.clips = options.clipNorm < Infinity;
    this.compile = options.compile;
    this.memory = options.memory ?? new MemoryPlan('taped', Infinity, () => {});
    this.lossSum = zeros([1], 'float64');
    this.guard = new Snapshot(new Map([...model.namedState(), ['stream', options.stream.state]]));
  }

  dispose(): void {
    this.optimizer.dispose();
    this.average?.dispose();
    this.lossSum.dispose();
    this.guard.dispose();
  }
}

interface Gradient {
  readonly loss: Tensor;
  readonly gradients: readonly (Tensor | null)[];
  /** Norm of all gradients; null where they are not clipped. */
  readonly norm: Tensor | null;
  /** int32 [1]: −1 when everything is finite. */
  readonly bad: Tensor;
  /** float64 []: the largest error of an input that was rebuilt; null where none was. */
  readonly drift: Tensor | null;
}

/** One kind of step: fixed loss, fixed shapes. */
export class Step {
  readonly #learner: Learner;
  readonly #loss: () => Tensor;
  readonly #weight: number;
  #gradient: Program<Gradient> | null = null;
  #update: Program<null> | null = null;

  /**
   * @param loss makes the scalar loss from tensors that were there before
   * @param weight of the step's loss in the sum, its number of rows
   */
  constructor(learner: Learner, loss: () => Tensor, weight: number) {
    this.#learner = learner;
    this.#loss = loss;
    this.#weight = weight;
  }

  /** Takes the step. False: loss or gradients are not finite, and nothing was changed. */
  run(): boolean {
    if (!this.#learner.compile) return this.#runEagerly();
    if (this.#recordedMemory !== this.#learner.memory.memory) this.dispose();
    if (this.#gradient) this.#gradient.run();
    else if (!this.#record()) return this.#runEagerly();
    const gradient = (this.#gradient as Program<Gradient>).result;
    if (gradient.bad.item() >= 0) {
      this.#learner.guard.restore();
      return false;
    }
    if (!this.#isRebuilt(gradient)) {
      this.dispose();
      return this.run();
    }
    if (this.#update) this.#update.run();
    else {
      this.#update = record(() => {
        this.#apply(gradient);
        return null;
      });
    }
    return true;
  }

  /** Whether what the backward pass rebuilt is near enough to what it was. If not, nothing was changed but the plan. */
  #isRebuilt({ drift }: Gradient): boolean {
    const { memory, guard } = this.#learner;
    if (drift === null || memory.accept(drift.item(), 'in a step')) return true;
    guard.restore();
    return false;
  }

  /** The loss of the latest step. */
  get lastLoss(): number {
    return this.#lastLoss ?? (this.#gradient as Program<Gradient>).result.loss.item();
  }
  #lastLoss: number | null = null;
  #recordedMemory: ActivationMemory | null = null;

  dispose(): void {
    this.#update?.dispose();
    this.#gradient?.dispose();
    this.#update = null;
    this.#gradient = null;
  }

  /** Runs and records the first half. False: the loss cannot be recorded. */
  #record(): boolean {
    try {
      this.#recordedMemory = this.#learner.memory.memory;
      this.#gradient = record(() => this.#differentiate());
      return true;
    } catch (error) {
      if (!isFlowError(error, 'UNSUPPORTED')) throw error;
      this.#learner.guard.restore();
      this.#learner.compile = false;
      return false;
    }
  }

  #runEagerly(): boolean {
    return scope(() => {
      const gradient = this.#differentiate();
      if (gradient.bad.item() >= 0) {
        this.#learner.guard.restore();
        return false;
      }
      if (!this.#isRebuilt(gradient)) return this.#runEagerly();
      this.#lastLoss = gradient.loss.item();
      this.#apply(gradient);
      return true;
    });
  }

  #differentiate(): Gradient {
    const { guard, parameters, clips, memory } = this.#learner;
    const tensors = parameters.map((parameter) => parameter.tensor);
    return scope(() => {
      guard.capture();
      const { made, drift } = memory.apply((under) =>
        valueAndGradient(() => under(this.#loss), tensors),
      );
      const { value, gradients } = made;
      const loss = value.dtype === 'float64' ? value : cast(value, 'float64');
      // The norm of the gradients is finite only if they all are.
      const norm = clips ? gradNorm(gradients) : null;
      const watched = norm ? [norm] : gradients.filter((gradient) => gradient !== null);
      return { loss, gradients, norm, bad: checkFinite([loss, ...watched]), drift };
    });
  }

  #apply({ loss, gradients, norm }: Gradient): void {
    const { optimizer, average, lossSum } = this.#learner;
    scope(() => {
      optimizer.update(gradients, norm);
      average?.update();
      const weighted = affineScalar(loss, this.#weight, 0).view([1]);
      copyInto(lossSum, add(lossSum, weighted));
    });
  }
}

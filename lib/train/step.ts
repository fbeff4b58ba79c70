/**
 * A training step: loss, gradients, update. Recorded while it runs for the first time and then replayed: one native call, on a GPU one
 * graph. Whether loss and gradients are finite is seen where they are: the update reads it, and leaves everything as it was if not.
 */
import { valueAndGradient } from '../autograd/gradient';
import type { ActivationMemory } from '../bijections/activations';
import { type TypedArray, typedArray } from '../dtype';
import { isFlowError } from '../errors';
import type { Module } from '../nn/module';
import { cast, checkFinite, gradNorm, type RandomStream, zeros } from '../ops';
import { onDevice } from '../tensor/device';
import { type Program, record } from '../tensor/program';
import { scope } from '../tensor/scope';
import { readFromGpu, type Tensor } from '../tensor/tensor';
import { MovingAverage } from './ema';
import { MemoryPlan } from './memoryPlan';
import type { Optimizer, OptimizerSpec } from './optimizer';
import { type Parameter, parametersOf } from './parameters';
import { Guard } from './snapshot';

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
  /** Σ loss·weight over the steps since it was last set to zero: float64 [1], on the CPU. */
  readonly lossSum: Tensor;
  /** Running statistics and random state as they were before the step, should it fail. */
  readonly guard: Guard;

  constructor(model: Module, options: LearnerOptions) {
    this.parameters = parametersOf(model);
    this.optimizer = options.optimizer.create(this.parameters, options.clipNorm);
    this.average = options.ema === null ? null : new MovingAverage(this.parameters, options.ema);
    this.stream = options.stream;
    this.clips = options.clipNorm < Infinity;
    this.compile = options.compile;
    this.memory = options.memory ?? new MemoryPlan('taped', Infinity, () => {});
    this.lossSum = onDevice('cpu', () => zeros([1], 'float64'));
    this.guard = new Guard([...model.namedState().values(), options.stream.state]);
  }

  dispose(): void {
    this.optimizer.dispose();
    this.average?.dispose();
    this.lossSum.dispose();
    this.guard.dispose();
  }
}

/** What a step leaves behind. */
interface Outcome {
  readonly loss: Tensor;
  /** int32 [1]: −1 when everything is finite; then the step was taken. */
  readonly bad: Tensor;
  /** float64 []: the largest error of an input that was rebuilt; null where none was. */
  readonly drift: Tensor | null;
  /** What `bad` is where nothing but the drift is at fault. */
  readonly driftAt: number;
}

/** What the host reads of it. */
function tensorsOf({ bad, loss, drift }: Outcome): Tensor[] {
  return drift ? [bad, loss, drift] : [bad, loss];
}
const item = (tensor: Tensor): number => tensor.item();
const first = (values: TypedArray): number => values[0] as number;

/** A GPU's step that is done by then is waited for: a turn of the event loop takes as long. */
const shortStepSeconds = 200e-6;

/** One kind of step: fixed loss, fixed shapes. */
export class Step {
  readonly #learner: Learner;
  readonly #loss: () => Tensor;
  readonly #weight: number;
  #program: Program<Outcome> | null = null;
  #recordedMemory: ActivationMemory | null = null;
  #lastLoss = Number.NaN;

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
    const outcome = this.#start();
    if (!outcome) return this.#runEagerly();
    return this.#judge(outcome, tensorsOf(outcome).map(item)) ?? this.run();
  }

  /** As `run`; while a GPU works at a long step, the event loop has its turns. */
  take(): boolean | Promise<boolean> {
    const outcome = this.#start();
    if (!outcome) return this.#runEagerly();
    const tensors = tensorsOf(outcome);
    if (outcome.bad.device === 'cpu') return this.#judge(outcome, tensors.map(item)) ?? this.take();
    const numbers = tensors.map(({ dtype }) => typedArray(dtype, 1));
    const judge = () => this.#judge(outcome, numbers.map(first)) ?? this.take();
    const pending = readFromGpu(tensors, numbers, shortStepSeconds);
    return pending ? pending.then(judge) : judge();
  }

  /** Runs the program, or makes it. Null: the loss cannot be recorded, and nothing ran. */
  #start(): Outcome | null {
    const learner = this.#learner;
    if (!learner.compile) return null;
    if (this.#recordedMemory !== learner.memory.memory) this.dispose();
    if (this.#program) this.#program.run();
    else if (!this.#record()) return null;
    return (this.#program as unknown as Program<Outcome>).result;
  }

  /** The loss of the latest step. */
  get lastLoss(): number {
    return this.#lastLoss;
  }

  dispose(): void {
    this.#program?.dispose();
    this.#program = null;
  }

  /** Runs and records the step. False: the loss cannot be recorded. */
  #record(): boolean {
    try {
      this.#recordedMemory = this.#learner.memory.memory;
      this.#program = record(() => this.#take());
      return true;
    } catch (error) {
      if (!isFlowError(error, 'UNSUPPORTED')) throw error;
      this.#learner.guard.restore();
      this.#learner.compile = false;
      return false;
    }
  }

  #runEagerly(): boolean {
    const taken = scope(() => {
      const outcome = this.#take();
      return this.#judge(outcome, tensorsOf(outcome).map(item));
    });
    return taken ?? this.#runEagerly();
  }

  /**
   * What came out, with the numbers of `tensorsOf`. Null: an input could not be rebuilt well enough; nothing was changed but the plan,
   * and the step is to be taken again.
   */
  #judge({ driftAt }: Outcome, [at, loss, drift]: readonly number[]): boolean | null {
    const { guard, lossSum, memory } = this.#learner;
    if (at === undefined || loss === undefined) return false;
    if (at < 0 || at === driftAt) {
      if (drift !== undefined && !memory.accept(drift, 'in a step')) {
        guard.restore();
        this.dispose();
        return null;
      }
      this.#lastLoss = loss;
      lossSum.write(Float64Array.of(lossSum.item() + this.#lastLoss * this.#weight));
      return true;
    }
    guard.restore();
    return false;
  }

  /** Ops only: may be part of a program. */
  #take(): Outcome {
    const { guard, parameters, clips, memory, optimizer, average } = this.#learner;
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
      const watched = [loss, ...(norm ? [norm] : gradients.filter((found) => found !== null))];
      const limit = drift && memory.limit(drift);
      const bad = checkFinite(limit ? [...watched, limit] : watched);
      optimizer.update(gradients, norm, bad);
      average?.update(bad);
      return { loss, bad, drift, driftAt: watched.length };
    });
  }
}

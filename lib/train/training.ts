/** One training by {@link fit}: what it holds and how it goes. */
import { emitWarning } from '../errors';
import type { DensityModel } from '../flows/density';
import type { Rows } from '../tensor/input';
import { allOrNothing } from '../tensor/scope';
import { Batches } from './batches';
import { calibrate } from './calibrate';
import {
  readCheckpoint,
  type Setup,
  startingProgress,
  trainingGroups,
  weightsOf,
  writeCheckpoint,
} from './checkpoint';
import { diagnose, numericError } from './diagnose';
import { type Evaluation, evaluateRows } from './evaluate';
import type { EpochRecord, StopReason } from './history';
import { initialize } from './initialize';
import { negativeLogLikelihood } from './loss';
import { MemoryPlan } from './memoryPlan';
import { adam, type OptimizerSpec } from './optimizer';
import { type FitOptions, type FitResult, fitSettings, type Settings } from './options';
import { Interrupted, Pacer } from './pause';
import { RowSet } from './rowSet';
import { epochOrder, streamFor } from './seeds';
import { Snapshot } from './snapshot';
import { Learner } from './step';

/** What the pass over the data gave, or null when the signal stopped it. */
async function unlessInterrupted<T>(pass: Promise<T>): Promise<T | null> {
  try {
    return await pass;
  } catch (error) {
    if (error instanceof Interrupted) return null;
    throw error;
  }
}

/** What a training holds: data, learner, progress, the best weights; and the loop. One call of `run`, then `dispose`. */
export class Training {
  readonly #model: DensityModel;
  readonly #options: FitOptions;
  readonly #settings: Settings;
  readonly #optimizer: OptimizerSpec;
  readonly #train: RowSet;
  readonly #validation: RowSet | null = null;
  readonly #learner: Learner;
  readonly #batches: Batches;
  readonly #pacer: Pacer;
  readonly #started = performance.now();
  #lastCheckpoint = performance.now();
  #best: Snapshot | null = null;
  #learningRate: number;
  #progress = startingProgress<EpochRecord>();

  constructor(model: DensityModel, train: Rows, options: FitOptions) {
    this.#model = model;
    this.#options = options;
    this.#pacer = new Pacer(options.signal);
    this.#optimizer = options.optimizer ?? adam();
    this.#learningRate = this.#optimizer.learningRate;
    this.#train = new RowSet('fit', 'train', model, train, options.context ?? null);
    try {
      if (options.validation) {
        const context = options.validationContext ?? null;
        this.#validation = new RowSet('fit', 'validation', model, options.validation, context);
      }
      this.#settings = fitSettings(model, options, this.#train.rows);
      this.#learner = this.#makeLearner(options);
    } catch (error) {
      this.#train.dispose();
      this.#validation?.dispose();
      throw error;
    }
    this.#batches = new Batches(model, this.#train, this.#learner, {
      size: this.#settings.batchSize,
      dropLast: this.#settings.dropLast,
      loss: options.loss ?? negativeLogLikelihood,
    });
  }

  #makeLearner({ compile = true, onWarning = emitWarning }: FitOptions): Learner {
    const { clipNorm, ema, seed, memory, driftTolerance } = this.#settings;
    return allOrNothing(
      () =>
        new Learner(this.#model, {
          optimizer: this.#optimizer,
          clipNorm,
          ema,
          stream: streamFor(seed, 'noise'),
          compile,
          memory: new MemoryPlan(memory, driftTolerance, onWarning),
        }),
    );
  }

  /** Takes over the state of a checkpoint. */
  async resume(path: string): Promise<void> {
    const model = this.#model;
    const checkpoint = await readCheckpoint(path, model, this.#setup());
    // The model comes last: a file that does not fit leaves it as it was.
    for (const [group, tensors] of trainingGroups(model, this.#learner))
      if (group !== 'weights') checkpoint.fill(group, tensors);
    if (checkpoint.progress.history.some((record) => record.isBest)) {
      this.#best = new Snapshot(weightsOf(model));
      checkpoint.fillBest(this.#best.copies);
    }
    checkpoint.fill('weights', weightsOf(model));
    const { memory, drift, ...progress } = checkpoint.progress;
    this.#progress = progress;
    this.#learner.memory.restore(memory, drift);
  }

  async run(): Promise<FitResult> {
    const { onEpoch } = this.#options;
    this.#model.train(true);
    try {
      if (!(await this.#initialize())) return await this.#finish('aborted');
      for (;;) {
        const done = this.#endOfEpochs();
        if (done) return await this.#finish(done);
        const interrupted = await this.#runEpoch();
        if (interrupted) return await this.#finish(interrupted);
        const record = await this.#closeEpoch();
        if (!record) return await this.#finish('aborted');
        if (this.#checkpointIsDue(true)) await this.#writeCheckpoint();
        await onEpoch?.(record);
      }
    } finally {
      this.#model.train(false);
    }
  }

  /** Layers that take their first values from data; false when the signal stopped it. */
  async #initialize(): Promise<boolean> {
    const { onWarning = emitWarning } = this.#options;
    const { batchSize, seed } = this.#settings;
    const pass = initialize(this.#model, this.#train, batchSize, seed, this.#pacer);
    const warnings = await unlessInterrupted(pass);
    if (warnings === null) return false;
    if (this.#progress.step === 0) this.#learner.average?.restart();
    for (const warning of warnings) onWarning(warning);
    return true;
  }

  #endOfEpochs(): StopReason | null {
    const { epochs, patience, steps } = this.#settings;
    const { epoch, waited, step, position, history } = this.#progress;
    if (position > 0) return null;
    if (epoch >= epochs) return 'epochs';
    const validated = (history.at(-1)?.validationLogProb ?? null) !== null;
    if (validated && waited >= patience) return 'patience';
    if (step >= steps) return 'steps';
    return this.#interruption();
  }

  /** Why to stop before the next step, if at all. */
  #interruption(): StopReason | null {
    const { steps, timeLimitSeconds } = this.#settings;
    if (this.#options.signal?.aborted) return 'aborted';
    if (this.#progress.step >= steps) return 'steps';
    if (performance.now() - this.#started >= timeLimitSeconds * 1000) return 'time';
    return null;
  }

  /** Takes the steps of an epoch that are left. Returns why it was interrupted, or null at its end. */
  async #runEpoch(): Promise<StopReason | null> {
    const progress = this.#progress;
    const order = epochOrder(this.#settings.seed, progress.epoch, this.#train.rows);
    if (progress.position === 0) {
      this.#learner.lossSum.write(Float64Array.of(0));
      progress.epochRows = 0;
      progress.epochSeconds = 0;
    }
    let mark = performance.now();
    const clock = () => {
      const now = performance.now();
      progress.epochSeconds += (now - mark) / 1000;
      progress.seconds += (now - mark) / 1000;
      mark = now;
    };
    while (progress.position < this.#batches.stepsPerEpoch) {
      const reason = this.#interruption();
      if (reason) {
        clock();
        return reason;
      }
      const rows = this.#batches.rowsAt(order, progress.position);
      const loss = await this.#takeStep(rows);
      if (this.#options.onStep) await this.#report(loss);
      if (this.#pacer.due) await this.#pacer.turn();
      if (this.#checkpointIsDue(false)) {
        clock();
        await this.#writeCheckpoint();
        mark = performance.now();
      }
    }
    clock();
    return null;
  }

  async #takeStep(rows: Int32Array): Promise<() => number> {
    const progress = this.#progress;
    const learner = this.#learner;
    const { schedule } = this.#options;
    const { step, epoch, history } = progress;
    if (schedule) {
      const factor = schedule({ step, epoch, stepsPerEpoch: this.#batches.stepsPerEpoch, history });
      this.#learningRate = this.#optimizer.learningRate * factor;
    }
    learner.optimizer.setLearningRate(this.#learningRate);
    learner.average?.prepare(step);
    this.#model.beforeStep?.(step);
    const sized = this.#batches.stepFor(rows.length);
    sized.indices.write(rows);
    const taken = sized.step.take();
    if (!(typeof taken === 'boolean' ? taken : await taken)) {
      const finding = diagnose(this.#model, sized.loss, learner.parameters);
      learner.guard.restore();
      throw numericError('fit', finding, {
        step: step + 1,
        epoch: epoch + 1,
        learningRate: this.#learningRate,
        clips: learner.clips,
      });
    }
    progress.step++;
    progress.position++;
    progress.epochRows += rows.length;
    return () => sized.step.lastLoss;
  }

  async #report(loss: () => number): Promise<void> {
    const { step, epoch, position } = this.#progress;
    await this.#options.onStep?.({
      step,
      epoch: epoch + 1,
      stepInEpoch: position,
      stepsPerEpoch: this.#batches.stepsPerEpoch,
      loss: loss(),
      learningRate: this.#learningRate,
      seconds: (performance.now() - this.#started) / 1000,
    });
  }

  /** The record of the epoch so far; null when the signal stopped it. Keeps the weights if they are the best. */
  async #evaluateEpoch(validates = true): Promise<EpochRecord | null> {
    const progress = this.#progress;
    const start = performance.now();
    const trainLoss = this.#learner.lossSum.item() / progress.epochRows;
    const scored = await unlessInterrupted(this.#validate(validates));
    if (!scored) return null;
    const { evaluation, isBest } = scored;
    const seconds = (performance.now() - start) / 1000;
    progress.seconds += seconds;
    return {
      epoch: progress.epoch + 1,
      step: progress.step,
      trainLoss,
      validationLogProb: evaluation?.logProb ?? null,
      validationLogProbModel: evaluation?.logProbModel ?? null,
      validationStandardError: evaluation?.standardError ?? null,
      bitsPerDim: evaluation?.bitsPerDim ?? null,
      isBest,
      seconds: progress.epochSeconds + seconds,
      samplesPerSecond: progress.epochRows / Math.max(progress.epochSeconds, 1e-9),
      learningRate: this.#learningRate,
    };
  }

  async #closeEpoch(): Promise<EpochRecord | null> {
    const progress = this.#progress;
    const { epochs, validateEvery } = this.#settings;
    const epoch = progress.epoch + 1;
    // Not for an abort: what a resume goes on with must be what it would have been without.
    const last = epoch >= epochs || ['steps', 'time'].includes(this.#interruption() ?? '');
    const due = epoch % validateEvery === 0 || last;
    const record = await this.#evaluateEpoch(due);
    // All steps of the epoch are taken: a resume begins with its evaluation.
    if (!record) return null;
    progress.history.push(record);
    progress.waited = record.isBest ? 0 : progress.waited + 1;
    progress.epoch++;
    progress.position = 0;
    return record;
  }

  async #validate(due: boolean): Promise<{ evaluation: Evaluation | null; isBest: boolean }> {
    if (!this.#validation || !due) return { evaluation: null, isBest: false };
    const { seed } = this.#settings;
    const { average } = this.#learner;
    average?.enter();
    try {
      await calibrate(this.#model, this.#train, seed, this.#pacer);
      const evaluation = await evaluateRows(this.#model, this.#validation, seed, this.#pacer);
      const before = this.#bestRecord()?.validationLogProbModel ?? -Infinity;
      const isBest = evaluation.logProbModel > before;
      if (isBest) {
        if (this.#best) this.#best.capture();
        else this.#best = new Snapshot(weightsOf(this.#model));
      }
      return { evaluation, isBest };
    } finally {
      average?.leave();
      this.#model.train(true);
    }
  }

  #bestRecord(): EpochRecord | null {
    return this.#progress.history.findLast((record) => record.isBest) ?? null;
  }

  /** The last checkpoint, the last weights, the result. */
  async #finish(reason: StopReason): Promise<FitResult> {
    const progress = this.#progress;
    const model = this.#model;
    if (this.#options.checkpoint && progress.step > 0) await this.#writeCheckpoint();
    let last: EpochRecord | null = null;
    if (progress.position > 0 && reason !== 'aborted') {
      // An epoch that was cut short is scored too, but it is no part of the training that a checkpoint goes on with.
      last = await this.#evaluateEpoch();
      if (last) await this.#options.onEpoch?.(last);
    }
    const history = last ? [...progress.history, last] : [...progress.history];
    if (this.#best) {
      this.#best.restore();
    } else {
      this.#learner.average?.enter();
      if (reason !== 'aborted' && progress.step > 0)
        await unlessInterrupted(calibrate(model, this.#train, this.#settings.seed, this.#pacer));
    }
    return {
      history,
      best: history.findLast((record) => record.isBest) ?? null,
      stoppedBecause: reason,
      epochs: progress.epoch,
      steps: progress.step,
      seconds: progress.seconds,
      compiled: this.#learner.compile,
      memory: this.#learner.memory.memory,
      drift: this.#learner.memory.drift,
    };
  }

  #checkpointIsDue(endOfEpoch: boolean): boolean {
    const { checkpoint } = this.#options;
    if (!checkpoint) return false;
    const { everyEpochs, everySeconds = everyEpochs === undefined ? 60 : Infinity } = checkpoint;
    if (endOfEpoch && everyEpochs !== undefined && this.#progress.epoch % everyEpochs === 0)
      return true;
    return performance.now() - this.#lastCheckpoint >= everySeconds * 1000;
  }

  async #writeCheckpoint(): Promise<void> {
    const { path } = this.#options.checkpoint as { path: string };
    const model = this.#model;
    const weights = weightsOf(model);
    const usable =
      this.#best?.copies ?? new Map([...weights, ...(this.#learner.average?.state ?? [])]);
    const { memory, drift } = this.#learner.memory;
    const progress = { ...this.#progress, memory, drift };
    const groups = trainingGroups(model, this.#learner);
    await writeCheckpoint(path, model, usable, groups, progress, this.#setup());
    this.#lastCheckpoint = performance.now();
  }

  /** What a checkpoint must have in common with this training. */
  #setup(): Setup {
    const { batchSize, dropLast, clipNorm, ema, seed, memory } = this.#settings;
    const { kind, settings } = this.#optimizer;
    return {
      rows: this.#train.rows,
      validationRows: this.#validation?.rows ?? null,
      batchSize,
      dropLast,
      clipNorm: clipNorm === Infinity ? null : clipNorm,
      ema,
      seed,
      memory,
      optimizer: JSON.stringify({ kind, ...settings }),
    };
  }

  dispose(): void {
    this.#batches.dispose();
    this.#learner.dispose();
    this.#learner.stream.dispose();
    this.#best?.dispose();
    this.#train.dispose();
    this.#validation?.dispose();
  }
}

/**
 * Training without rows: steps down any loss that draws what it needs, such as a divergence from a density that is known
 * up to a constant, or from a teacher.
 */
import type { DensityModel } from '../flows/density';
import type { Module } from '../nn/module';
import type { RandomStream } from '../ops';
import {
  anything,
  callback,
  checkArgument,
  object,
  path,
  type Rule,
  type Rules,
  required,
} from '../options';
import { requireSizes } from '../shape';
import { onDevice } from '../tensor/device';
import { allOrNothing } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import {
  readCheckpoint,
  startingProgress,
  trainingGroups,
  weightsOf,
  writeCheckpoint,
} from './checkpoint';
import { diagnose, numericError } from './diagnose';
import type { StopReason } from './history';
import { adam } from './optimizer';
import {
  type CheckpointOptions,
  checkLossOptions,
  type LearningOptions,
  learningSettings,
} from './options';
import { Pacer } from './pause';
import { streamFor } from './seeds';
import { Learner, Step } from './step';

export interface FitLossOptions extends LearningOptions {
  /** Steps in all, those of a training that is gone on with included. */
  readonly steps: number;
  /** Steps over which a record of the history is the mean; default 100. */
  readonly reportEvery?: number;
  readonly onReport?: (record: LossRecord) => void | Promise<void>;
  readonly checkpoint?: Omit<CheckpointOptions, 'everyEpochs'>;
  /** A checkpoint to go on from: training ends as if it had never been interrupted. */
  readonly resume?: string;
}

export interface LossRecord {
  /** Steps taken. */
  readonly step: number;
  /** Mean over the steps since the last record. */
  readonly loss: number;
  readonly seconds: number;
  readonly learningRate: number;
}

export interface FitLossResult {
  readonly history: readonly LossRecord[];
  readonly stoppedBecause: StopReason;
  readonly steps: number;
  readonly seconds: number;
  /** Whether the steps were replayed from a recording. */
  readonly compiled: boolean;
}

/** What a caller of the house says about itself. */
interface Caller {
  /** Options that it takes beside those of fitLoss. */
  readonly own?: Readonly<Record<string, Rule>>;
  /** Name in errors. */
  readonly where?: string;
  /** Sizes that a checkpoint must have in common with the training that goes on with it. */
  readonly setup?: Readonly<Record<string, number>>;
}

/** What each of them must be, those of every training apart. */
export const fitLossRules: Rules<Omit<FitLossOptions, keyof LearningOptions>> = {
  steps: required(anything),
  reportEvery: anything,
  onReport: callback,
  checkpoint: object,
  resume: path,
};

/**
 * Makes a loss small by steps of an optimizer, on the model's device. One epoch is the whole training: callbacks and schedules get
 * `stepsPerEpoch` = `steps`. A model with `beforeStep` is told the number of each step, as by `fit`.
 *
 * @param loss the scalar to make small, by differentiable ops; what it draws comes from the stream, so that the seed
 *   decides it and a checkpoint goes on with it. It is recorded once and replayed: it must not read tensors
 * @throws FlowError ARGUMENT for options that do not fit; NUMERIC with the layer, the step and a remedy when a loss or
 *   gradient is not finite (the model then has the weights from before that step); FILE, FORMAT for checkpoints
 *
 * @example
 * await fitLoss(student, (stream) => divergence(student, teacher, stream), { steps: 10_000, optimizer: adam({ lr: 1e-4 }) });
 */
export async function fitLoss(
  model: Module,
  loss: (stream: RandomStream) => Tensor,
  options: FitLossOptions,
  caller: Caller = {},
): Promise<FitLossResult> {
  const { where = 'fitLoss', own = {} } = caller;
  checkLossOptions(where, model, options, { ...fitLossRules, ...own });
  checkArgument(where, 'loss', loss, callback);
  return onDevice(model.device, () => trained(model, loss, options, caller));
}

async function trained(
  model: Module & Pick<DensityModel, 'beforeStep'>,
  loss: (stream: RandomStream) => Tensor,
  options: FitLossOptions,
  { where = 'fitLoss', setup: sizes = {} }: Caller,
): Promise<FitLossResult> {
  const { steps, reportEvery = 100, schedule, signal, checkpoint } = options;
  const { onStep, onReport, compile = true } = options;
  requireSizes(where, { steps, reportEvery, ...sizes });
  const settings = learningSettings(where, model, options);
  const optimizer = options.optimizer ?? adam();
  const { stream, learner } = allOrNothing(() => {
    const noise = streamFor(settings.seed, 'noise');
    return {
      stream: noise,
      learner: new Learner(model, { ...settings, optimizer, stream: noise, compile }),
    };
  });
  const step = new Step(learner, () => loss(stream), 1);
  const pacer = new Pacer();
  let progress = startingProgress<LossRecord>();
  let learningRate = optimizer.learningRate;
  let reason: StopReason = 'steps';

  const groups = () => trainingGroups(model, learner);
  const { clipNorm, ema, seed } = settings;
  const setup = {
    ...sizes,
    reportEvery,
    clipNorm: clipNorm === Infinity ? null : clipNorm,
    ema,
    seed,
    optimizer: JSON.stringify({ kind: optimizer.kind, ...optimizer.settings }),
  };
  const started = performance.now();
  let before = 0;
  const elapsed = () => (performance.now() - started) / 1000;
  let lastCheckpoint = started;
  const save = async () => {
    if (!checkpoint) return;
    const usable = new Map([...weightsOf(model), ...(learner.average?.state ?? [])]);
    const { memory, drift } = learner.memory;
    const saved = { ...progress, seconds: before + elapsed(), memory, drift };
    await writeCheckpoint(checkpoint.path, model, usable, groups(), saved, setup);
    lastCheckpoint = performance.now();
  };
  const report = async () => {
    const loss = learner.lossSum.item() / progress.position;
    const record = { step: progress.step, loss, seconds: before + elapsed(), learningRate };
    learner.lossSum.write(Float64Array.of(0));
    progress.position = 0;
    progress.history.push(record);
    await onReport?.(record);
  };
  try {
    if (options.resume !== undefined) {
      const found = await readCheckpoint<LossRecord>(options.resume, model, setup);
      // The model comes last: a file that does not fit leaves it as it was.
      for (const [group, tensors] of groups()) if (group !== 'weights') found.fill(group, tensors);
      found.fill('weights', weightsOf(model));
      const { memory: _memory, drift: _drift, ...saved } = found.progress;
      progress = saved;
      before = saved.seconds;
    }
    model.train(true);
    while (progress.step < steps) {
      if (signal?.aborted) reason = 'aborted';
      else if (elapsed() >= settings.timeLimitSeconds) reason = 'time';
      if (reason !== 'steps') break;
      const position = { step: progress.step, epoch: 0, stepsPerEpoch: steps, history: [] };
      learningRate = optimizer.learningRate * (schedule?.(position) ?? 1);
      learner.optimizer.setLearningRate(learningRate);
      learner.average?.prepare(progress.step);
      model.beforeStep?.(progress.step);
      const taken = step.take();
      if (!(typeof taken === 'boolean' ? taken : await taken)) {
        const finding = diagnose(model, () => loss(stream), learner.parameters);
        learner.guard.restore();
        const at = { step: progress.step + 1, learningRate, clips: learner.clips };
        throw numericError(where, finding, at);
      }
      progress.step++;
      progress.position++;
      if (onStep) {
        await onStep({
          step: progress.step,
          epoch: 1,
          stepInEpoch: progress.step,
          stepsPerEpoch: steps,
          loss: step.lastLoss,
          learningRate,
          seconds: elapsed(),
        });
      }
      if (progress.position >= reportEvery) await report();
      if (pacer.due) await pacer.turn();
      const { everySeconds = 60 } = checkpoint ?? {};
      if (checkpoint && performance.now() - lastCheckpoint >= everySeconds * 1000) await save();
    }
    // Before the last record, which may be of fewer steps: a resume goes on as if nothing had ended.
    if (progress.step > 0) await save();
    if (progress.position > 0) await report();
    learner.average?.enter();
    return {
      history: progress.history,
      stoppedBecause: reason,
      steps: progress.step,
      seconds: before + elapsed(),
      compiled: learner.compile,
    };
  } finally {
    model.train(false);
    step.dispose();
    learner.dispose();
    stream.dispose();
  }
}

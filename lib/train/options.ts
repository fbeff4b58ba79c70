/** What `fit` can be told. */

import { type ActivationMemory, isActivationMemory } from '../bijections/activations';
import { expected, FlowError, type Warn } from '../errors';
import type { DensityModel } from '../flows/density';
import { Module } from '../nn/module';
import {
  anything,
  callback,
  checkArgument,
  checkOptions,
  flag,
  number,
  object,
  one,
  path as pathRule,
  type Rule,
  type Rules,
  required,
  rule,
} from '../options';
import type { Rows } from '../tensor/input';
import type { EpochRecord, StopReason } from './history';
import type { Loss } from './loss';
import { defaultDriftTolerance } from './memoryPlan';
import type { OptimizerSpec } from './optimizer';
import type { Schedule } from './schedule';

const aModule = one('a model', () => Module);
/** What has a density and can be trained by it. */
export const aModel: Rule = rule(
  'a model',
  (value) => value instanceof Module && 'logProbOfRows' in value,
  'pass a flow, as maf({ … }) makes one',
);
const optimizerRule = rule(
  'an optimizer',
  (value) => typeof (value as OptimizerSpec | null)?.create === 'function',
  'pass adam(), adamW() or sgd()',
);

export interface CheckpointOptions {
  /** The file; it is replaced as a whole. */
  readonly path: string;
  /** Default: every 60 seconds, unless everyEpochs is given. */
  readonly everySeconds?: number;
  readonly everyEpochs?: number;
}

/** What both kinds of training take. */
export interface LearningOptions {
  /** Default adam({ lr: 1e-3 }). */
  readonly optimizer?: OptimizerSpec;
  /** Factor on the learning rate, step by step. Default: none. */
  readonly schedule?: Schedule;
  /** Largest norm of all gradients together; larger ones are scaled down. Default: not clipped. */
  readonly clipNorm?: number;
  /** Decay of a moving average of the weights, for instance 0.999. Default: none. */
  readonly ema?: number;
  /** Everything random follows from it. Default 0. */
  readonly seed?: number;
  /** Record the step and replay it (default), or run op by op. The results are the same, bit for bit. */
  readonly compile?: boolean;
  /** Stops the training between two steps: the promise is fulfilled with what there is. */
  readonly signal?: AbortSignal;
  /** Stops the training after so much time in this call. */
  readonly timeLimitSeconds?: number;
  readonly onStep?: (step: StepInfo) => void | Promise<void>;
}

export interface FitOptions extends LearningOptions {
  /** Rows to stop by: the best epoch is the one that scores them best. */
  readonly validation?: Rows | null;
  /** Validate after every so many epochs, and after the last one; default 1. */
  readonly validateEvery?: number;
  /** One row of context a training row, for conditional models. */
  readonly context?: Rows | null;
  readonly validationContext?: Rows | null;
  /** Default 100, or all rows where there are less. */
  readonly batchSize?: number;
  /** Leave out the last, smaller batch of an epoch. Default false. */
  readonly dropLast?: boolean;
  /** Most epochs. Default: no limit with validation data; without, a limit must be given. */
  readonly epochs?: number;
  /** Most steps. */
  readonly steps?: number;
  /** Epochs without a better validation after which training stops. Default 30. */
  readonly patience?: number;
  /** Default: −mean log p. */
  readonly loss?: Loss;
  /**
   * What is kept for the backward pass. 'taped' (default): all activations. 'invertible': the output of each chain, from
   * which the inverse rebuilds the rest, so that memory does not grow with depth; about a third more time. 'checkpoints':
   * the input of each bijection. Layers that cannot be rebuilt (batch norm in training) are taped.
   */
  readonly memory?: ActivationMemory;
  /**
   * With memory 'invertible': relative error of a rebuilt batch above which training warns and goes on with
   * 'checkpoints'. Default 1e-3. The step with the error is not taken but repeated.
   */
  readonly driftTolerance?: number;
  /** Told what does not stop the training but should be known. Default: Node's warnings (process.emitWarning). */
  readonly onWarning?: Warn;
  readonly checkpoint?: CheckpointOptions;
  /** A checkpoint to go on from: training ends as if it had never been interrupted. */
  readonly resume?: string;
  readonly onEpoch?: (epoch: EpochRecord) => void | Promise<void>;
}

const learningRules: Rules<LearningOptions> = {
  optimizer: optimizerRule,
  schedule: callback,
  clipNorm: number,
  ema: number,
  seed: anything,
  compile: flag,
  signal: object,
  timeLimitSeconds: number,
  onStep: callback,
};
const checkpointRules: Rules<CheckpointOptions> = {
  path: required(pathRule),
  everySeconds: number,
  everyEpochs: number,
};
const fitRules: Rules<FitOptions> = {
  ...learningRules,
  validation: anything,
  validateEvery: number,
  context: anything,
  validationContext: anything,
  batchSize: number,
  dropLast: flag,
  epochs: number,
  steps: number,
  patience: number,
  loss: callback,
  memory: anything,
  driftTolerance: number,
  onWarning: callback,
  checkpoint: rule('{ path }', object.takes, "pass { path: 'file' }"),
  resume: pathRule,
  onEpoch: callback,
};

/** @throws FlowError ARGUMENT unless `fit` has these options, and the model is one */
export function checkFit(model: DensityModel, options: FitOptions): void {
  checkArgument('fit', 'model', model, aModel);
  checkOptions('fit', options, fitRules);
  if (options.checkpoint) checkOptions('fit checkpoint', options.checkpoint, checkpointRules);
}

/** As {@link checkFit}, of the trainings that have `steps` and a loss of their own. */
export function checkLossOptions<O extends LearningOptions & { readonly checkpoint?: object }>(
  where: string,
  model: Module,
  options: O,
  own: Rules<Omit<O, keyof LearningOptions>>,
): void {
  checkArgument(where, 'model', model, aModule);
  checkOptions(where, options, { ...learningRules, ...own } as unknown as Rules<O>);
  const { path, everySeconds } = checkpointRules;
  if (options.checkpoint)
    checkOptions(`${where} checkpoint`, options.checkpoint, {
      path,
      everySeconds,
    } as Rules<object>);
}

export interface StepInfo {
  /** Steps taken since the start of training, this one included. */
  readonly step: number;
  /** 1, 2, … */
  readonly epoch: number;
  /** Steps of this epoch taken, and of how many. */
  readonly stepInEpoch: number;
  readonly stepsPerEpoch: number;
  readonly loss: number;
  readonly learningRate: number;
  /** Time since training started in this call. */
  readonly seconds: number;
}

export interface FitResult {
  readonly history: readonly EpochRecord[];
  /** The epoch whose weights the model now has; null where no epoch was finished or nothing was validated. */
  readonly best: EpochRecord | null;
  readonly stoppedBecause: StopReason;
  readonly epochs: number;
  readonly steps: number;
  readonly seconds: number;
  /** Whether the steps were replayed from a recording. */
  readonly compiled: boolean;
  /** How activations were kept at the end. */
  readonly memory: ActivationMemory;
  /** The largest relative error of a rebuilt batch; 0 where none was rebuilt. */
  readonly drift: number;
}

/** The options with their defaults. */
export interface Settings {
  readonly batchSize: number;
  readonly epochs: number;
  readonly steps: number;
  readonly patience: number;
  readonly validateEvery: number;
  readonly clipNorm: number;
  readonly ema: number | null;
  readonly seed: number;
  readonly dropLast: boolean;
  readonly timeLimitSeconds: number;
  readonly memory: ActivationMemory;
  readonly driftTolerance: number;
}

function check(
  where: string,
  what: string,
  value: unknown,
  good: boolean,
  expectation: string,
  remedy: string,
) {
  if (good) return;
  throw new FlowError('ARGUMENT', expected(where, what, expectation, String(value), remedy));
}

/** Checks of the options that both kinds of training take. */
export function learningSettings(
  where: string,
  model: Module,
  options: LearningOptions & { readonly checkpoint?: { readonly path: string } },
): Pick<Settings, 'clipNorm' | 'ema' | 'seed' | 'timeLimitSeconds'> {
  const { clipNorm = Infinity, ema = null, seed = 0, timeLimitSeconds = Infinity } = options;
  check(where, 'clipNorm', clipNorm, clipNorm > 0, 'a number above 0', 'leave it out not to clip');
  check(
    where,
    'ema',
    ema ?? 0,
    ema === null || (ema > 0 && ema < 1),
    'a decay between 0 and 1',
    'for instance 0.999',
  );
  check(where, 'seed', seed, Number.isSafeInteger(seed), 'a whole number', 'for instance 1');
  check(
    where,
    'timeLimitSeconds',
    timeLimitSeconds,
    timeLimitSeconds > 0,
    'a number above 0',
    'leave it out for no limit',
  );
  if (options.checkpoint) {
    const { path } = options.checkpoint;
    const isPath = typeof path === 'string' && path !== '';
    check(where, 'checkpoint.path', path, isPath, 'a path', "checkpoint: { path: 'file' }");
  }
  if (model.parameters().length === 0) {
    throw new FlowError(
      'ARGUMENT',
      expected(where, 'model', 'parameters to learn', 'none', 'add a bijection that is learned'),
    );
  }
  return { clipNorm, ema, seed, timeLimitSeconds };
}

/** Checks of the options of `fit` for a training set of `rows` rows. */
export function fitSettings(model: DensityModel, options: FitOptions, rows: number): Settings {
  const where = 'fit';
  const learning = learningSettings(where, model, options);
  const { batchSize = Math.min(100, rows), patience = 30, dropLast = false } = options;
  const { validateEvery = 1 } = options;
  const { epochs = Infinity, steps = Infinity } = options;
  const whole = (value: number) => Number.isSafeInteger(value) && value >= 1;
  check(
    where,
    'batchSize',
    batchSize,
    whole(batchSize) && batchSize <= rows,
    `a whole number from 1 to ${rows}, the rows of the training set`,
    'pass fewer rows a batch',
  );
  const limit = (what: string, value: number) =>
    check(
      where,
      what,
      value,
      whole(value) || value === Infinity,
      'a whole number of at least 1',
      'leave it out for no limit',
    );
  limit('epochs', epochs);
  limit('steps', steps);
  limit('patience', patience);
  limit('validateEvery', validateEvery);
  if (model.bijection?.calibrates && batchSize < 2) {
    check(where, 'batchSize', batchSize, false, 'at least 2 with batch norm', 'use larger batches');
  }
  const endless = epochs === Infinity && steps === Infinity && !options.signal;
  if (!options.validation && endless && learning.timeLimitSeconds === Infinity) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        where,
        'options',
        'something that ends the training',
        'none',
        'pass validation data, epochs, steps, timeLimitSeconds or a signal',
      ),
    );
  }
  const { memory = 'taped', driftTolerance = defaultDriftTolerance } = options;
  if (!isActivationMemory(memory)) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        where,
        'memory',
        "'taped', 'invertible' or 'checkpoints'",
        String(memory),
        'leave it out to keep everything',
      ),
    );
  }
  const good = driftTolerance > 0;
  check(where, 'driftTolerance', driftTolerance, good, 'a number above 0', 'for instance 1e-3');
  if (options.checkpoint) {
    const { everySeconds = 60, everyEpochs = 1 } = options.checkpoint;
    const every = 'a number above 0';
    check(where, 'checkpoint.everySeconds', everySeconds, everySeconds > 0, every, 'default: 60');
    check(where, 'checkpoint.everyEpochs', everyEpochs, whole(everyEpochs), every, 'default: none');
  }
  return {
    ...learning,
    batchSize,
    epochs,
    steps,
    patience,
    validateEvery,
    dropLast,
    memory,
    driftTolerance,
  };
}

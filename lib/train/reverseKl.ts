/**
 * Training without data: a flow is fitted to a density that is known up to a constant, by the reverse
 * Kullback–Leibler divergence. Papamakarios et al. 2021, "Normalizing Flows for Probabilistic Modeling and Inference",
 * section 2.3.2, eq. 17.
 */

import { expected, FlowError } from '../errors';
import type { Flow } from '../flows/flow';
import { cast, mean, reshape, sub } from '../ops';
import { type Rows, rowsTensor } from '../tensor/input';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { diagnose, numericError } from './diagnose';
import type { StopReason } from './history';
import { adam } from './optimizer';
import { type LearningOptions, learningSettings } from './options';
import { Pacer } from './pause';
import { streamFor } from './seeds';
import { Learner, Step } from './step';

export interface ReverseKlOptions extends LearningOptions {
  /** Draws a step; default 256. */
  readonly samples?: number;
  readonly steps: number;
  /** Conditional flows: `samples` rows, the same in each step. */
  readonly context?: Rows | null;
  /** Steps over which a record of the history is the mean; default 100. */
  readonly reportEvery?: number;
  readonly onReport?: (record: ReverseKlRecord) => void | Promise<void>;
}

export interface ReverseKlRecord {
  /** Steps taken. */
  readonly step: number;
  /**
   * Mean of log q(x) − log p̃(x) over the draws since the last record: an upper bound of −log Z, the constant that p̃
   * lacks, and equal to it where the flow is the target.
   */
  readonly loss: number;
  readonly seconds: number;
  readonly learningRate: number;
}

export interface ReverseKlResult {
  readonly history: readonly ReverseKlRecord[];
  readonly stoppedBecause: StopReason;
  readonly steps: number;
  readonly seconds: number;
  readonly compiled: boolean;
}

/**
 * Fits a flow to an unnormalised density p̃: draws x from the flow, and makes the mean of log q(x) − log p̃(x) small
 * along the path of the draw. `iaf` draws, and differentiates, in one pass; other flows go through their slow direction.
 *
 * @param logDensity log p̃ of the rows x [N, D]: [N] or [N, 1], float32 or float64, made by differentiable ops
 * @throws FlowError ARGUMENT; NUMERIC as `fit`; SHAPE when logDensity does not give one number a row; UNSUPPORTED where
 *   the inverse of a layer has no gradient
 */
export async function fitReverseKl(
  flow: Flow,
  logDensity: (x: Tensor) => Tensor,
  options: ReverseKlOptions,
): Promise<ReverseKlResult> {
  const where = 'fitReverseKl';
  const { samples = 256, steps, reportEvery = 100, schedule, signal } = options;
  const { onStep, onReport, compile = true } = options;
  for (const [what, value] of Object.entries({ samples, steps, reportEvery })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new FlowError(
      'ARGUMENT',
      expected(where, what, 'a whole number ≥ 1', String(value), 'correct the option'),
    );
  }
  const settings = learningSettings(where, flow, options);
  const optimizer = options.optimizer ?? adam();
  const stream = streamFor(settings.seed, 'noise');
  const learner = new Learner(flow, { ...settings, optimizer, stream, compile });
  const context = contextRows(flow, options.context ?? null, samples);
  const loss = () => reverseKlLoss(flow, logDensity, samples, learner.stream, context);
  const step = new Step(learner, loss, 1);
  const history: ReverseKlRecord[] = [];
  const pacer = new Pacer();
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  let learningRate = optimizer.learningRate;
  let taken = 0;
  let reported = 0;
  let reason: StopReason = 'steps';
  const report = async () => {
    const sum = learner.lossSum.item();
    const record = {
      step: taken,
      loss: sum / (taken - reported),
      seconds: elapsed(),
      learningRate,
    };
    learner.lossSum.write(Float64Array.of(0));
    reported = taken;
    history.push(record);
    await onReport?.(record);
  };
  flow.train(true);
  try {
    while (taken < steps) {
      if (signal?.aborted) reason = 'aborted';
      else if (elapsed() >= settings.timeLimitSeconds) reason = 'time';
      if (reason !== 'steps') break;
      const position = { step: taken, epoch: 0, stepsPerEpoch: steps, history: [] };
      learningRate = optimizer.learningRate * (schedule?.(position) ?? 1);
      learner.optimizer.setLearningRate(learningRate);
      learner.average?.prepare(taken);
      if (!step.run()) {
        const finding = diagnose(flow, loss, learner.parameters);
        learner.guard.restore();
        throw numericError(where, finding, { step: taken + 1, learningRate, clips: learner.clips });
      }
      taken++;
      if (onStep) {
        await onStep({
          step: taken,
          epoch: 1,
          stepInEpoch: taken,
          stepsPerEpoch: steps,
          loss: step.lastLoss,
          learningRate,
          seconds: elapsed(),
        });
      }
      if (taken - reported >= reportEvery) await report();
      if (pacer.due) await pacer.turn();
    }
    if (taken > reported) await report();
    learner.average?.enter();
    return {
      history,
      stoppedBecause: reason,
      steps: taken,
      seconds: elapsed(),
      compiled: learner.compile,
    };
  } finally {
    flow.train(false);
    step.dispose();
    learner.dispose();
    stream.dispose();
    context?.dispose();
  }
}

function contextRows(flow: Flow, context: Rows | null, samples: number): Tensor | null {
  if (context === null) return null;
  const rows = rowsTensor('fitReverseKl', 'context', context, flow.contextFeatures, flow.dtype);
  if (rows.rows === samples) return rows === context ? rows.alias() : rows;
  throw new FlowError(
    'SHAPE',
    expected(
      'fitReverseKl',
      'context',
      `${samples} rows, one a draw`,
      String(rows.rows),
      'repeat the row, or set samples',
    ),
  );
}

/** mean(log q(x) − log p̃(x)) of draws x of the flow. */
function reverseKlLoss(
  flow: Flow,
  logDensity: (x: Tensor) => Tensor,
  samples: number,
  stream: Learner['stream'],
  context: Tensor | null,
): Tensor {
  return scope(() => {
    const noise = flow.base.sample(samples, stream, 1);
    const { x, logDet } = flow.inverse(noise, context);
    const logQ = sub(flow.base.logProb(noise), logDet);
    const logTarget = logDensity(x);
    if (logTarget.size !== samples) {
      throw new FlowError(
        'SHAPE',
        expected(
          'fitReverseKl',
          'logDensity',
          `one number a row: shape [${samples}]`,
          `[${logTarget.shape.join(', ')}]`,
          'sum over the columns',
        ),
      );
    }
    return mean(sub(logQ, reshape(cast(logTarget, 'float64'), [samples])));
  });
}

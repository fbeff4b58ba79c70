/** How well a model fits a data set. */
import { expected, FlowError } from '../errors';
import type { DensityModel } from '../flows/density';
import type { RandomStream } from '../ops';
import {
  anything,
  checkArgument,
  checkOptions,
  count,
  type Rules,
  seed as seedRule,
} from '../options';
import { onDevice } from '../tensor/device';
import type { Rows } from '../tensor/input';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { aModel } from './options';
import { Pacer } from './pause';
import { RowSet } from './rowSet';
import { streamFor } from './seeds';

export interface Evaluation {
  /** Rows. */
  readonly rows: number;
  /** Mean log p of a row in nats, in the data's own units. */
  readonly logProb: number;
  /** The same in the space after the preprocessing (logit space for images): what papers quote. */
  readonly logProbModel: number;
  /** Standard error of `logProbModel`: deviation between rows / √rows. */
  readonly standardError: number;
  /** −logProb / (D·ln 2). For dequantised data an upper bound on the bits of the integers. */
  readonly bitsPerDim: number;
}

export interface EvaluateOptions {
  /** One row of context a row of data, for conditional models. */
  readonly context?: Rows | null;
  /** Of the dequantisation noise and of a model's own draws; default 0. */
  readonly seed?: number;
  /**
   * For models that bound the density (VAEs): importance samples a row, K. Default 1: the bound that training uses, the
   * ELBO; with more it rises to log p (Burda et al. 2016).
   */
  readonly samples?: number;
}

const evaluateRules: Rules<EvaluateOptions> = {
  context: anything,
  seed: seedRule,
  samples: count,
};

/**
 * Mean log-density of a data set.
 *
 * @param data rows in the data's space; integers get dequantisation noise where the model has it
 * @throws FlowError SHAPE, DATA
 */
export async function evaluate(
  model: DensityModel,
  data: Rows,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  checkArgument('evaluate', 'model', model, aModel);
  checkOptions('evaluate', options, evaluateRules);
  const { context = null, seed = 0, samples = 1 } = options;
  return onDevice(model.device, async () => {
    const rows = new RowSet('evaluate', 'data', model, data, context);
    try {
      return await evaluateRows(model, rows, seed, new Pacer(), samples);
    } finally {
      rows.dispose();
    }
  });
}

const chunkRows = 512;

/** The same on rows that are in native memory already. */
export async function evaluateRows(
  model: DensityModel,
  data: RowSet,
  seed: number,
  pacer: Pacer,
  samples = 1,
): Promise<Evaluation> {
  const score = scorer(model, samples);
  const { preprocessing = null } = model;
  const wasTraining = model.training;
  const stream = streamFor(seed, 'evaluation');
  let sum = 0;
  let preprocessingSum = 0;
  // Of the deviations from the first row's value: squares of the values themselves would cancel.
  let origin = 0;
  let squares = 0;
  let shifted = 0;
  try {
    // Models that change from step to step are scored as they were at step 0.
    model.train(false).beforeStep?.(0);
    for (let start = 0; start < data.rows; start += chunkRows) {
      const end = Math.min(data.rows, start + chunkRows);
      const part = scope(() => {
        const { x, context } = data.range(start, end, stream);
        const logProb = score(x, context, stream).dataSync();
        const logDet = preprocessing ? preprocessing.forward(x).logDet.dataSync() : null;
        return { logProb, logDet };
      });
      if (start === 0) origin = part.logProb[0] as number;
      for (const logProb of part.logProb) {
        sum += logProb;
        shifted += logProb - origin;
        squares += (logProb - origin) ** 2;
      }
      for (const logDet of part.logDet ?? []) preprocessingSum += logDet;
      await pacer.breathe();
    }
  } finally {
    model.train(wasTraining);
    stream.dispose();
  }
  const rows = data.rows;
  const logProbModel = sum / rows;
  const logProb = (sum + preprocessingSum) / rows;
  const variance = rows > 1 ? Math.max(0, squares - shifted ** 2 / rows) / (rows - 1) : Number.NaN;
  return {
    rows,
    logProb,
    logProbModel,
    standardError: Math.sqrt(variance / rows),
    bitsPerDim: -logProb / (model.features * Math.LN2),
  };
}

/** Rows → [N] by as many draws as were asked for. */
function scorer(model: DensityModel, samples: number) {
  const { importanceLogProb } = model;
  const whole = Number.isSafeInteger(samples) && samples >= 1;
  if (whole && samples > 1 && importanceLogProb) {
    return (x: Tensor, context: Tensor | null, stream: RandomStream) =>
      importanceLogProb.call(model, x, context, samples, stream);
  }
  if (samples !== 1) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        'evaluate',
        'samples',
        importanceLogProb ? 'a whole number ≥ 1' : '1: the log-density of this model is exact',
        String(samples),
        'leave it out',
      ),
    );
  }
  return (x: Tensor, context: Tensor | null, stream: RandomStream) =>
    model.logProbOfRows(x, context, 'model', stream);
}

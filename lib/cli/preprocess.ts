/** The fixed maps from raw data to the space that a flow is trained in. They are kept in the model file. */
import { Affine } from '../bijections/affine';
import type { Bijection } from '../bijections/bijection';
import { Chain } from '../bijections/chain';
import { Logit } from '../bijections/logit';
import { columnLabel } from '../data/table';
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import type { Dequantization, FlowParts } from '../flows';
import { BernoulliLikelihood, type GenerativeModel, Vae } from '../models';
import { type Dataset, type Matrix, placeOf } from './dataset';
import type { TrainOptions } from './grammar/train';
import { UsageError } from './status';

export type Preprocess =
  | { readonly kind: 'none' }
  | { readonly kind: 'standardize' }
  /** Values in [0, 1]. */
  | { readonly kind: 'logit'; readonly lambda: number }
  /** Integers: dequantised, divided by the number of levels, then the logit where λ is given. */
  | { readonly kind: 'levels'; readonly levels: number; readonly lambda: number | null }
  /** Integers as they are, for distributions of levels. */
  | { readonly kind: 'integers'; readonly levels: number }
  /** Numbers in [0, 1], or of so many levels drawn as bits. */
  | { readonly kind: 'bits'; readonly levels: number | null };

type Choice = Pick<TrainOptions, 'standardize' | 'levels' | 'logit' | 'preprocess'>;

/** What the options ask for; where they say nothing, what suits the data. */
export function choosePreprocess(options: Choice, dataset: Dataset): Preprocess {
  const { standardize, levels, logit, preprocess } = options;
  const transforms = levels !== undefined || logit !== undefined;
  if ((standardize && transforms) || (!preprocess && (standardize || transforms))) {
    throw new UsageError('choose one of --standardize, --levels/--logit and --no-preprocess');
  }
  if (!preprocess) return { kind: 'none' };
  if (levels !== undefined) return { kind: 'levels', levels, lambda: logit ?? null };
  if (logit !== undefined) return { kind: 'logit', lambda: logit };
  if (!standardize && dataset.image) return { kind: 'levels', levels: 256, lambda: 1e-6 };
  return { kind: 'standardize' };
}

/** The parts of a flow that do it, from the training data. */
export function buildPreprocess(
  preprocess: Preprocess,
  train: Dataset,
  dtype: FloatDType,
): Partial<Pick<FlowParts, 'preprocessing' | 'dequantization'>> {
  const { cols } = train.rows;
  if (preprocess.kind === 'standardize') {
    const { mean, deviation } = columnStatistics(train);
    return { preprocessing: Affine.standardize(mean, deviation, dtype), dequantization: null };
  }
  if (preprocess.kind === 'logit') {
    return { preprocessing: new Logit(cols, preprocess.lambda), dequantization: null };
  }
  if (preprocess.kind !== 'levels') return { preprocessing: null, dequantization: null };
  const { levels, lambda } = preprocess;
  const unit = Affine.uniform(cols, 1 / levels, 0, dtype);
  const preprocessing = lambda === null ? unit : new Chain([unit, new Logit(cols, lambda)]);
  return { preprocessing, dequantization: { levels } };
}

/** Mean and deviation of each column. */
function momentsOf({ data, rows, cols }: Matrix): { mean: Float64Array; deviation: Float64Array } {
  const mean = new Float64Array(cols);
  const variance = new Float64Array(cols);
  for (let i = 0; i < data.length; i++) mean[i % cols]! += (data[i] as number) / rows;
  for (let i = 0; i < data.length; i++) {
    variance[i % cols]! += ((data[i] as number) - mean[i % cols]!) ** 2 / rows;
  }
  return { mean, deviation: variance.map(Math.sqrt) };
}

/**
 * Numbers that are conditioned on, to mean 0 and deviation 1; one that does not vary to 0. Classes stay 0 and 1. Of a spectrum, the
 * bands of a frame.
 */
export function standardizedContext(train: Dataset, dtype: FloatDType): Bijection | null {
  const { context, classes, sound } = train;
  const bands = sound?.spectrum?.bands;
  if (!context || (classes && !bands)) return null;
  const own = classes?.length ?? 0;
  const { mean, deviation } = momentsOf(bands ? framesOf(context, own, bands) : context);
  const varies = deviation.map((one, c) => (one > 1e-12 * Math.abs(mean[c]!) ? one : 1));
  const zeros = new Float64Array(bands ? own : 0);
  const join = (a: Float64Array, b: Float64Array) => Float64Array.of(...a, ...b);
  return Affine.standardize(
    join(mean, zeros),
    join(
      varies,
      zeros.map(() => 1),
    ),
    dtype,
  );
}

/** The frames at the beginning of each row, a row each. */
function framesOf({ data, rows, cols }: Matrix, besides: number, bands: number): Matrix {
  const width = cols - besides;
  const frames = Float64Array.from(
    { length: rows * width },
    (_, k) => data[Math.floor(k / width) * cols + (k % width)] as number,
  );
  return { data: frames, rows: frames.length / bands, cols: bands };
}

/** Mean and deviation of each column; a column that does not vary has no density. */
function columnStatistics(train: Dataset): { mean: Float64Array; deviation: Float64Array } {
  const { data, cols } = train.rows;
  const { mean, deviation } = momentsOf(train.rows);
  for (let c = 0; c < cols; c++) {
    // Rounding alone gives a constant column a deviation of some eps.
    if (deviation[c]! > 1e-12 * Math.abs(mean[c]!)) continue;
    const label = columnLabel(c, train.columns ?? undefined);
    throw new FlowError(
      'DATA',
      expected(
        'train',
        `${train.source}: ${label}`,
        'values that vary',
        `${data[c]} in every row of the training part`,
        'leave the column out with --exclude',
      ),
    );
  }
  return { mean, deviation };
}

/** A column of so few values, each many times, is no continuous quantity. */
const FEW_VALUES = 32;
const MANY_TIMES = 20;

/** What will train, but hardly as meant. */
export function warningsAbout(train: Dataset, preprocess: Preprocess, dtype: FloatDType): string[] {
  if (preprocess.kind !== 'standardize') return [];
  const { data, rows, cols } = train.rows;
  const { mean, deviation } = columnStatistics(train);
  const warnings: string[] = [];
  for (let c = 0; c < cols; c++) {
    const label = columnLabel(c, train.columns ?? undefined);
    const values = new Set<number>();
    for (let row = 0; row < rows && values.size <= FEW_VALUES; row++) {
      values.add(data[row * cols + c] as number);
    }
    if (values.size <= FEW_VALUES && rows >= MANY_TIMES * values.size) {
      const key = train.columns?.[c] ?? c;
      warnings.push(
        `${label} has ${values.size} values only, and a density of it no upper bound: leave it out with ` +
          `--exclude ${key}, condition on it with --context-columns ${key}, or model integers with --levels`,
      );
    }
    if (dtype === 'float32' && Math.abs(mean[c]!) > 1e4 * deviation[c]!) {
      warnings.push(
        `${label} has mean ${mean[c]!.toPrecision(6)} and deviation ${deviation[c]!.toPrecision(3)}: ` +
          'float32 loses most of its digits; pass --dtype float64, or subtract the mean first',
      );
    }
  }
  return warnings;
}

/** What data must look like to go into a flow. */
export interface Input {
  readonly dequantization: Dequantization | null;
  /** λ of values in [0, 1], where the flow begins with a logit. */
  readonly unitInterval?: boolean;
}

/**
 * The rows as the flow takes them: integers as an integer array, so that the flow adds their noise.
 *
 * @throws FlowError DATA for values that the preprocessing cannot take; the sentence names row and column
 */
export function prepareRows(dataset: Dataset, input: Input): Dataset {
  const { data } = dataset.rows;
  if (input.dequantization) {
    const { levels } = input.dequantization;
    const bad = (data as Float64Array).findIndex(
      (value) => !(Number.isInteger(value) && value >= 0 && value < levels),
    );
    if (bad >= 0) {
      const wanted = `a whole number from 0 to ${levels - 1}`;
      fail(dataset, bad, wanted, `the preprocessing has ${levels} levels`);
    }
    if (data instanceof Uint8Array || data instanceof Int32Array) return dataset;
    const integers = levels <= 256 ? Uint8Array.from(data) : Int32Array.from(data);
    return { ...dataset, rows: { ...dataset.rows, data: integers } };
  }
  if (input.unitInterval) {
    const bad = (data as Float64Array).findIndex((value) => !(value >= 0 && value <= 1));
    if (bad >= 0) fail(dataset, bad, 'a number from 0 to 1', 'scale the data');
  }
  // Bytes that are taken as they are would count as levels.
  if (data instanceof Uint8Array || data instanceof Int32Array) {
    return { ...dataset, rows: { ...dataset.rows, data: Float32Array.from(data) } };
  }
  return dataset;
}

function fail(dataset: Dataset, position: number, wanted: string, remedy: string): never {
  const got = String(dataset.rows.data[position]);
  const sentence = expected('data', placeOf(dataset, position), wanted, got, remedy);
  throw new FlowError('DATA', sentence);
}

/** What a model takes. */
export function inputOf(flow: GenerativeModel): Input {
  const { dequantization, preprocessing } = flow;
  const isBits = flow instanceof Vae && flow.likelihood instanceof BernoulliLikelihood;
  const unitInterval = preprocessing instanceof Logit || isBits;
  return { dequantization, unitInterval: !dequantization && unitInterval };
}

/** What a flow is built of, and what its calls can be told. */
import { Bijection } from '../bijections/bijection';
import type { SolveReport } from '../bijections/solve';
import { Distribution } from '../distributions';
import { expected, FlowError, type Warn } from '../errors';
import {
  anything,
  callback,
  flag,
  object,
  one,
  orNull,
  type Rule,
  type Rules,
  required,
  rule,
  seed as seedRule,
  word,
} from '../options';
import type { Rows } from '../tensor/input';
import { requireFixedMap } from './fixedMap';

/** Data that takes the integer values 0 … levels − 1, made continuous by adding U[0, 1). */
export interface Dequantization {
  readonly levels: number;
}

export interface FlowParts {
  readonly base: Distribution;
  readonly bijection: Bijection;
  /** Data space → model space; fixed. */
  readonly preprocessing?: Bijection | null;
  readonly dequantization?: Dequantization | null;
  /**
   * Context as users have it → as the networks see it, for instance of mean 0 and deviation 1 (`Affine.standardize`); fixed.
   * Its log-det does not count: the density is that of the rows.
   */
  readonly contextPreprocessing?: Bijection | null;
  /** What the rows are, for whoever opens the file: column names, image shape. */
  readonly description?: Readonly<Record<string, string>>;
}

export interface LogProbOptions {
  /**
   * 'data' (default): density of the data as they were passed. 'model': density in the space after preprocessing, in
   * which papers quote image models (logit space).
   */
  readonly space?: 'data' | 'model';
  /** Seed of the dequantisation noise, where integer data are dequantised. Default 0. */
  readonly seed?: number;
  /** Told how many rows a numerical solver did not solve, in words. Default: Node's warnings (process.emitWarning). */
  readonly onWarning?: Warn;
}

export interface SampleOptions {
  /** One row for all samples, or one row a sample. */
  readonly context?: Rows | null;
  /** Spread of the base distribution; default 1. */
  readonly temperature?: number;
  /** Default: a new one each call. */
  readonly seed?: number;
  /** Round dequantised data down to integers. Default true where the flow has a dequantisation. */
  readonly quantize?: boolean;
  /**
   * Gets the report of the numerical inverses, row by row, where the flow has any: iterations, residual, converged. Its
   * tensors are freed when the call returns.
   */
  readonly onSolve?: (report: SolveReport) => void;
  /** Told how many rows a numerical inverse did not solve, in words. Default: Node's warnings (process.emitWarning). */
  readonly onWarning?: Warn;
}

/** A map beside the one that learns. */
export const aMap: Rule = orNull(one('a Bijection', () => Bijection));

/** What `dequantization` must be. */
export const dequantizationRule: Rule = orNull(
  rule(
    '{ levels } with a whole number ≥ 2',
    (value) =>
      Number.isSafeInteger((value as Dequantization)?.levels) &&
      (value as Dequantization).levels >= 2,
    'for bytes pass { levels: 256 }',
  ),
);

/** What the options of `logProb` must be. */
export const logProbRules: Rules<LogProbOptions> = {
  space: word('data', 'model'),
  seed: seedRule,
  onWarning: callback,
};

/** What the options of `sample` must be. */
export const sampleRules: Rules<SampleOptions> = {
  context: anything,
  temperature: anything,
  seed: seedRule,
  quantize: flag,
  onSolve: callback,
  onWarning: callback,
};

/** What the parts of a flow must be. */
export const flowRules: Rules<FlowParts> = {
  base: required(one('a Distribution', () => Distribution)),
  bijection: required(one('a Bijection', () => Bijection)),
  preprocessing: aMap,
  contextPreprocessing: aMap,
  dequantization: dequantizationRule,
  description: object,
};

/** @throws FlowError SHAPE, ARGUMENT for parts that do not go together */
export function checkParts(
  parts: Required<Pick<FlowParts, 'base' | 'bijection' | 'preprocessing' | 'contextPreprocessing'>>,
): void {
  const { base, bijection, preprocessing, contextPreprocessing } = parts;
  const { features } = base;
  const ofBase = 'features, as the base';
  if (bijection.features !== features) {
    const remedy = 'build all parts with the same number of features';
    const sentence = expected(
      'Flow',
      'bijection',
      `${features} ${ofBase}`,
      `${bijection.features}`,
      remedy,
    );
    throw new FlowError('SHAPE', sentence);
  }
  requireFixedMap('Flow', 'preprocessing', preprocessing, features, ofBase);
  const { contextFeatures } = bijection;
  const ofContext = 'columns of the context';
  requireFixedMap('Flow', 'contextPreprocessing', contextPreprocessing, contextFeatures, ofContext);
}

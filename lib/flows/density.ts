/** What `fit` trains: any model that gives rows a log-density, flows and others. */
import type { Bijection } from '../bijections/bijection';
import type { FloatDType } from '../dtype';
import type { Module } from '../nn/module';
import type { RandomStream } from '../ops';
import type { Tensor } from '../tensor/tensor';

export interface DensityModel extends Module {
  /** D: columns of a row. */
  readonly features: number;
  /** Columns of the context; 0: none. */
  readonly contextFeatures: number;
  readonly dtype: FloatDType;
  /** Fixed map from the data's space to the model's, if there is one. */
  readonly preprocessing?: Bijection | null;
  /** The trained map, if there is one: `fit` calibrates it on the whole training set. */
  readonly bijection?: Bijection | null;

  /**
   * What `bijection` sees of rows [N, D] of the data's space, for layers that take first values or statistics from data. Default: the
   * rows through `preprocessing`.
   */
  bijectionRows?(x: Tensor, stream: RandomStream): Tensor;

  /** The context as the bijection takes it, where a fixed map is between. */
  conditions?(context: Tensor | null): Tensor | null;

  /** Rows as they are stored → rows as the model takes them (noise, conversion), drawn anew for each batch. */
  dequantize(rows: Tensor, stream: RandomStream): Tensor;

  /**
   * What training makes large, and evaluation takes the mean of.
   *
   * @param x [N, D] float
   * @param space see LogProbOptions; models without preprocessing have one space
   * @param stream random numbers for models whose log-density is a bound by draws (VAEs): fit and evaluate pass one
   * @returns [N] float64, on the tape
   */
  logProbOfRows(
    x: Tensor,
    context: Tensor | null,
    space: 'data' | 'model',
    stream?: RandomStream,
  ): Tensor;

  /**
   * For models whose log-density is a bound: a tighter one by `samples` draws a row, which tends to log p.
   *
   * @returns [N] float64, in the model's space
   */
  importanceLogProb?(
    x: Tensor,
    context: Tensor | null,
    samples: number,
    stream: RandomStream,
  ): Tensor;

  /** Told the number of each training step before it runs: for models that change from step to step (masks of MADE). */
  beforeStep?(step: number): void;
}

/** What a contract row says of an op. See README.md. */
import type { DType, FloatDType } from '../../lib/dtype';
import type { FlowErrorCode } from '../../lib/errors';
import type { Shape } from '../../lib/shape';
import type { Tensor } from '../../lib/tensor/tensor';

/** Signed random numbers within ±2·scale. */
export type Draw = (length: number, scale?: number) => Float64Array;
/** Makes `length` values. */
export type Values = (draw: Draw, length: number) => ArrayLike<number>;

export interface Input {
  readonly shape: Shape;
  /** Default: the float type that the case runs in. */
  readonly dtype?: DType;
  /** Default: signed random numbers within ±2. */
  readonly values?: Values;
  /** No gradient by this input. Always so for integers. */
  readonly constant?: boolean;
  /** Whether it may be passed as a column view. Default: where it has two axes or more. */
  readonly viewable?: boolean;
}

export interface Expected {
  readonly shape: Shape;
  readonly values: ArrayLike<number>;
  /** Default: the float type that the case runs in. */
  readonly dtype?: DType;
}

export interface OpCase {
  readonly name: string;
  readonly inputs: readonly Input[];
  run(...inputs: Tensor[]): Tensor | readonly Tensor[];
  /** The outputs by plain loops in float64. `inputs` are rounded to the type that the op sees. */
  expected(...inputs: Float64Array[]): Expected | readonly Expected[];
  /** Tolerance in eps of the type, relative to the largest magnitude of an output. Default 4. */
  readonly units?: number;
  /** With 'element' the tolerance is relative to each element: for functions that promise so. Default 'output'. */
  readonly relativeTo?: 'element' | 'output';
  /** float32 gradients against float64 ones, in eps of float32, relative to the largest of the gradient. Default 64. */
  readonly gradientUnits?: number;
  /** false: the op has no gradient. */
  readonly gradient?: boolean;
  /** 'yes' (default): gradients of gradients are right. 'unsupported': FlowError UNSUPPORTED. */
  readonly second?: 'yes' | 'unsupported';
  /** Column views against contiguous inputs: eps units; 0 (default) is bit for bit. */
  readonly strided?: number;
  /** false: a program gives other values each time it runs (random numbers). */
  readonly replays?: boolean;
  /** Default: both. */
  readonly dtypes?: readonly FloatDType[];
}

export interface ErrorCase {
  readonly name: string;
  readonly run: () => unknown;
  readonly code: FlowErrorCode;
  readonly says: RegExp;
  /** The op finds it in the data: an error on the CPU only, because work on a GPU waits for nothing. */
  readonly byData?: boolean;
}

export interface OpContract {
  /** lib/ops/<module>.ts */
  readonly module: string;
  /** Rows of native/ops/registry.def that the cases run; empty for an op made of other ops. */
  readonly native: readonly string[];
  readonly cases: readonly OpCase[];
  readonly errors?: readonly ErrorCase[];
}

/** 1, and W − 1, W, W + 1 for registers of 4, 8 and 16 lanes, and beyond a block. */
export const oddSizes: readonly number[] = [1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 129, 1023];

export const positive: Values = (draw, length) =>
  draw(length).map((value) => Math.abs(value) + 0.1);
export const unitInterval: Values = (draw, length) =>
  draw(length).map((value) => 0.02 + 0.48 * (Math.abs(value) / 2) + (value > 0 ? 0.48 : 0));
/** Away from 0 by 0.1: for kinks there. */
export const notNearZero: Values = (draw, length) =>
  draw(length).map((value) => value + 0.1 * (value < 0 ? -1 : 1));
/** Whole numbers from 0 to count − 1. */
export const indexes =
  (count: number): Values =>
  (draw, length) =>
    draw(length).map((value) => Math.min(count - 1, Math.floor(((value + 2) / 4) * count)));

/** A tensor as golden files have it. */

/** A tensor of a golden file, row-major; infinities are strings. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly data: readonly (number | string)[];
}

/** Named tensors. */
export type GoldenTensors = Readonly<Record<string, GoldenTensor>>;

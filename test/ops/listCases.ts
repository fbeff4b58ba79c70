/** What the contract rows of the ops on lists of tensors share: they work in place, so each run works on copies. */
import { clone } from '../../lib/ops';
import type { Tensor } from '../../lib/tensor/tensor';
import { tensorOfArray } from '../../lib/tensor/tensor';

export const copies = (tensors: readonly Tensor[]): Tensor[] => tensors.map((t) => clone(t));

/** A copy of the numbers that a recorded program makes anew in each run. */
export const fresh = (...numbers: number[]): Tensor =>
  clone(tensorOfArray(Float64Array.from(numbers), [numbers.length]));

/** As checkFinite says it: below 0 where a step may be taken. */
export const flag = (value: number): Tensor => clone(tensorOfArray(Int32Array.of(value), [1]));

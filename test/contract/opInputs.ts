/** Inputs of a contract case, the numbers that come out of it, and how they are compared. */
import { expect } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { type DType, type FloatDType, typedArray } from '../../lib/dtype';
import { add, cast, columns, mul, sum } from '../../lib/ops';
import { sizeOf } from '../../lib/shape';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { eps64, expectClose, fixture } from '../reference/close';
import type { Expected, Input, OpCase } from './opCase';

export function listed<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

/** The values as the type stores them. */
export function stored(values: ArrayLike<number>, dtype: DType) {
  const array = typedArray(dtype, values.length);
  array.set(values as number[]);
  return array;
}

export const dtypeOf = (input: Input, dtype: FloatDType) => input.dtype ?? dtype;

/** Stable, and different for each case. */
export function seedOf(text: string): number {
  let seed = 17;
  for (const character of text) seed = (seed * 31 + character.charCodeAt(0)) | 0;
  return seed;
}

export function drawInputs(test: OpCase, dtype: FloatDType): Float64Array[] {
  const draw = fixture(seedOf(test.name));
  return test.inputs.map((input) => {
    const make = input.values ?? ((source, length) => source(length));
    const values = make(draw, sizeOf(input.shape));
    return Float64Array.from(stored(values, dtypeOf(input, dtype)));
  });
}

export function makeTensors(
  test: OpCase,
  values: readonly Float64Array[],
  dtype: FloatDType,
): Tensor[] {
  return test.inputs.map((input, i) =>
    tensorOfArray(stored(values[i]!, dtypeOf(input, dtype)), input.shape),
  );
}

/** The same values inside of a wider table: 2 columns before and 1 behind. */
export function asColumnView(tensor: Tensor): Tensor {
  const { rows, cols } = tensor;
  const values = tensor.dataSync();
  const wide = typedArray(tensor.dtype, rows * (cols + 3));
  wide.fill(77);
  for (let r = 0; r < rows; r++) {
    wide.set(values.subarray(r * cols, (r + 1) * cols), r * (cols + 3) + 2);
  }
  return columns(tensorOfArray(wide, [...tensor.shape.slice(0, -1), cols + 3]), 2, 2 + cols);
}

export const viewable = (input: Input) => input.viewable ?? input.shape.length >= 2;

export const isDifferentiable = (input: Input) =>
  !input.constant && (input.dtype === undefined || input.dtype.startsWith('float'));

/** Random weights of the outputs, the same for every call. */
export function weightsOf(test: OpCase, expected: readonly Expected[]): Float64Array[] {
  const draw = fixture(seedOf(`${test.name} weights`));
  return expected.map(({ values }) => draw(values.length));
}

/** Σ over all outputs of weight · output, float64. */
export function weighted(outputs: readonly Tensor[], weights: readonly Float64Array[]): Tensor {
  const terms = outputs.map((output, k) => {
    const weight = tensorOfArray(weights[k]!, output.shape);
    return sum(mul(cast(output, 'float64'), weight));
  });
  return terms.reduce((total, term) => add(total, term));
}

export function referenceLoss(
  test: OpCase,
  values: readonly Float64Array[],
  weights: Float64Array[],
) {
  let total = 0;
  listed(test.expected(...values)).forEach(({ values: output }, k) => {
    for (let i = 0; i < output.length; i++) total += output[i]! * weights[k]![i]!;
  });
  return total;
}

/** Gradients of the weighted sum by the float inputs; null where an input has none. */
export function gradientsOf(
  test: OpCase,
  tensors: readonly Tensor[],
  weights: readonly Float64Array[],
  by: readonly number[],
): (Float64Array | null)[] {
  return scope(() => {
    const { gradients } = valueAndGradient(
      () => weighted(listed(test.run(...tensors)), weights),
      by.map((i) => tensors[i]!),
    );
    return gradients.map((g, k) => {
      if (g === null) return null;
      const input = tensors[by[k]!]!;
      expect([g.shape, g.dtype], 'gradient: shape and type').toEqual([input.shape, input.dtype]);
      return Float64Array.from(g.dataSync());
    });
  });
}

export function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
}

/** expectClose, which tells of the first bad element; asked only where there is one, because it takes 20 µs an element. */
export function expectNear(
  actual: ArrayLike<number>,
  wanted: ArrayLike<number>,
  units: number,
  what: string,
  scale?: number,
): void {
  let size = scale ?? 0;
  for (let i = 0; i < wanted.length && scale === undefined; i++) {
    if (Number.isFinite(wanted[i])) size = Math.max(size, Math.abs(wanted[i]!));
  }
  let good = actual.length === wanted.length;
  for (let i = 0; i < wanted.length && good; i++) {
    const allowed = units * eps64 * Math.max(size, Math.abs(wanted[i]!));
    good = Number.isFinite(wanted[i])
      ? Math.abs(actual[i]! - wanted[i]!) <= allowed
      : Object.is(actual[i], wanted[i]);
  }
  if (!good) expectClose(actual, wanted, units, what, scale);
}

/** 0 + x: −0 and 0 are the same value, and NaN is NaN. */
export function expectSame(
  actual: readonly ArrayLike<number>[],
  wanted: readonly ArrayLike<number>[],
) {
  actual.forEach((values, k) => {
    for (let i = 0; i < values.length; i++) {
      if (values[i] !== wanted[k]![i] && !(Number.isNaN(values[i]) && Number.isNaN(wanted[k]![i])))
        expect(values[i], `output ${k}, element ${i}`).toBe(wanted[k]![i]);
    }
  });
}

export const dataOf = (outputs: Tensor | readonly Tensor[]) =>
  listed(outputs).map((t) => t.dataSync());

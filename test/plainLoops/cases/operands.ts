/** Random operands of instructions on matrices of `n` rows and `d` columns, and the list that the instructions go to. */
import type { FloatDType } from '../../../lib/dtype';
import { type Shape, sizeOf } from '../../../lib/shape';
import { execute, type OutputSpec } from '../../../lib/tensor/execute';
import { type Tensor, tensorOfArray } from '../../../lib/tensor/tensor';
import { fixture } from '../../reference/close';

const draw = fixture(20261122);

const f64 = (shape: Shape, scale = 1) => tensorOfArray(draw(sizeOf(shape), scale), shape);
const int32 = (values: ArrayLike<number>) =>
  tensorOfArray(Int32Array.from(values), [values.length]);
/** Whole numbers from 0 to limit − 1. */
const indices = (count: number, limit: number) =>
  int32(draw(count).map((value) => Math.min(limit - 1, Math.floor(((value + 2) / 4) * limit))));
/** Sorted extents from 0 to `inputs`. */
const staircase = (units: number, inputs: number) =>
  int32(Array.from({ length: units }, (_, o) => Math.floor((o * (inputs + 1)) / units)));

/** An instruction and its attributes in words, and what runs it. */
export type Instruction = [name: string, run: () => void];

export type Operands = ReturnType<typeof operands>;

export function operands(dtype: FloatDType, n: number, d: number) {
  const realOf =
    (source: typeof draw) =>
    (shape: Shape, scale = 1) => {
      const values = source(sizeOf(shape), scale);
      return tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, shape);
    };
  const real = realOf(draw);
  const some = realOf(fixture(33));
  const positive = (shape: Shape) => {
    const values = draw(sizeOf(shape)).map((value) => Math.abs(value) + 0.05);
    return tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, shape);
  };
  const out = (...shape: number[]): OutputSpec => ({ shape, dtype });
  const out64 = (...shape: number[]): OutputSpec => ({ shape, dtype: 'float64' });
  const list: Instruction[] = [];
  const add = (
    op: string,
    inputs: () => (Tensor | null)[],
    outputs: () => (OutputSpec | Tensor | null)[],
    ...attributes: number[]
  ) =>
    list.push([
      `${op} (${attributes.join(', ')})`,
      () => void execute(op, inputs(), outputs(), attributes),
    ]);
  const u = d + 3; // units of a layer
  const x = () => real([n, d]);
  const same = () => [out(n, d)];
  // Off the diagonal 1/d, on it 1 … 3: well conditioned.
  const triangle = (size: number) => {
    const values = draw(size * size).map((value, i) =>
      i % (size + 1) === 0 ? value + (value < 0 ? -1 : 1) : value / size,
    );
    return tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, [size, size]);
  };
  const levels = (shape: Shape, count: number) => {
    const values = indices(sizeOf(shape), count).dataSync();
    return tensorOfArray(
      dtype === 'float32' ? Float32Array.from(values) : Float64Array.from(values),
      shape,
    );
  };
  const uniform = (shape: Shape) => {
    const values = draw(sizeOf(shape)).map((value) => (value + 2) / 4.001);
    return tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, shape);
  };
  return {
    ...{ list, add, dtype, n, d, u, draw, f64, int32, indices, staircase },
    ...{ real, some, positive, out, out64, x, same, triangle, levels, uniform },
  };
}

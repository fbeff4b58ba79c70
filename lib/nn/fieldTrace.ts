/**
 * tr J of a multilayer perceptron, J = A_L·S_(L−1)·A_(L−1) ⋯ S_1·A_1 with diagonal S. docs/maths.md, "The trace of a network".
 *
 * - one hidden layer: Σ_k s_k·(A_1·A_2)_kk, a dot product a sample;
 * - two: Σ_jk s2_j·M_jk·s1_k with M = A_2 ∘ (A_1·A_3)ᵀ, one product of the size of the middle layer;
 * - more: D tangents side by side, of which the first and the last layer cost nothing.
 */
import type { FloatDType } from '../dtype';
import { concatColumns, full, linear, matmul, mul, reshape, sum } from '../ops';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';

function identity(size: number, dtype: FloatDType): Tensor {
  const values = new Float64Array(size * size);
  for (let i = 0; i < size; i++) values[i * (size + 1)] = 1;
  return tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, [size, size]);
}

const rowSums = (x: Tensor): Tensor => sum(x, -1, { dtype: 'float64' });

/**
 * What the trace needs of the weights alone, for networks of at most two hidden layers: the diagonal of A_1·A_2 as [1, H], or M
 * [H_2, H_1]. Null for deeper ones.
 */
export function shallowTraceMatrix(weights: readonly Tensor[]): Tensor | null {
  const [first, second, third] = weights as [Tensor, Tensor, Tensor | undefined];
  if (weights.length > 3) return null;
  return scope(() => {
    const last = third ?? second;
    // (A_1·A_L)ᵀ
    const round = matmul(last, first, { transposeA: true, transposeB: true });
    if (third) return mul(second, round);
    const diagonal = mul(round, identity(round.cols, round.dtype as FloatDType));
    return matmul(full([1, round.rows], 1, round.dtype), diagonal);
  });
}

/**
 * @param weights of the layers, first to last
 * @param slopes of the hidden layers at N points, [N, H_l]
 * @param matrix of {@link shallowTraceMatrix}
 * @returns [N] float64
 */
export function exactTrace(
  weights: readonly Tensor[],
  slopes: readonly Tensor[],
  matrix: Tensor | null,
): Tensor {
  return scope(() => {
    const [first, second] = slopes as [Tensor, Tensor | undefined];
    if (matrix) return rowSums(mul(second ? linear(first, matrix, null) : first, second ?? matrix));
    const samples = first.rows;
    const last = weights.at(-1) as Tensor;
    const features = last.rows;
    const beside = (slope: Tensor) =>
      features === 1 ? slope : concatColumns(Array.from({ length: features }, () => slope));
    const flat = (matrix: Tensor) => reshape(matrix, [matrix.size]);
    // Row i of A_1ᵀ is A_1·e_i.
    const unit = identity(features, first.dtype as FloatDType);
    const start = matmul(unit, weights[0] as Tensor, { transposeB: true });
    let tangents = mul(beside(first), flat(start));
    for (let l = 1; l < slopes.length; l++) {
      const weight = weights[l] as Tensor;
      const rows = linear(reshape(tangents, [samples * features, weight.cols]), weight, null);
      tangents = mul(reshape(rows, [samples, features * weight.rows]), beside(slopes[l] as Tensor));
    }
    return rowSums(mul(tangents, flat(last)));
  });
}

/**
 * Dense and masked linear layers and their gradients as plain loops, float64.
 * Matrices are flat and row-major; weights are [outFeatures, inFeatures].
 */

/** y [N, O] = x [N, I] · weightᵀ + bias; `bias` may be null. */
export function linear(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | null,
  n: number,
  inFeatures: number,
  outFeatures: number,
): Float64Array {
  const y = new Float64Array(n * outFeatures);
  for (let row = 0; row < n; row++) {
    for (let o = 0; o < outFeatures; o++) {
      let sum = bias === null ? 0 : bias[o]!;
      for (let i = 0; i < inFeatures; i++) {
        sum += x[row * inFeatures + i]! * weight[o * inFeatures + i]!;
      }
      y[row * outFeatures + o] = sum;
    }
  }
  return y;
}

/** Gradients of a linear layer. */
export interface LinearGradients {
  /** [N, I] */
  readonly dx: Float64Array;
  /** [O, I] */
  readonly dWeight: Float64Array;
  /** [O] */
  readonly dBias: Float64Array;
}

/** dx = dy · weight, dWeight = dyᵀ · x, dBias = column sums of dy, for dy [N, O]. */
export function linearGradients(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  dy: ArrayLike<number>,
  n: number,
  inFeatures: number,
  outFeatures: number,
): LinearGradients {
  const dx = new Float64Array(n * inFeatures);
  const dWeight = new Float64Array(outFeatures * inFeatures);
  const dBias = new Float64Array(outFeatures);
  for (let row = 0; row < n; row++) {
    for (let o = 0; o < outFeatures; o++) {
      const g = dy[row * outFeatures + o]!;
      dBias[o]! += g;
      for (let i = 0; i < inFeatures; i++) {
        dx[row * inFeatures + i]! += g * weight[o * inFeatures + i]!;
        dWeight[o * inFeatures + i]! += g * x[row * inFeatures + i]!;
      }
    }
  }
  return { dx, dWeight, dBias };
}

/** weight ⊙ mask, as a choice and not a product: what stands at a masked place (even NaN) does not count. */
export function maskWeight(weight: ArrayLike<number>, mask: ArrayLike<number>): Float64Array {
  const masked = new Float64Array(weight.length);
  for (let i = 0; i < weight.length; i++) masked[i] = mask[i] === 0 ? 0 : weight[i]!;
  return masked;
}

/** y = x · (weight ⊙ mask)ᵀ + bias, MADE section 4 (h = g(b + (W ⊙ M) x) without g). */
export function maskedLinear(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  mask: ArrayLike<number>,
  bias: ArrayLike<number> | null,
  n: number,
  inFeatures: number,
  outFeatures: number,
): Float64Array {
  return linear(x, maskWeight(weight, mask), bias, n, inFeatures, outFeatures);
}

/** Gradients of {@link maskedLinear}; dWeight is zero at the masked places. */
export function maskedLinearGradients(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  mask: ArrayLike<number>,
  dy: ArrayLike<number>,
  n: number,
  inFeatures: number,
  outFeatures: number,
): LinearGradients {
  const dense = linearGradients(x, maskWeight(weight, mask), dy, n, inFeatures, outFeatures);
  return { ...dense, dWeight: maskWeight(dense.dWeight, mask) };
}

/** c [M, N] = a [M, K] · b [K, N], with either argument given transposed where asked. */
export function matmul(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  m: number,
  k: number,
  n: number,
  options: { transposeA?: boolean; transposeB?: boolean } = {},
): Float64Array {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) {
        const left = options.transposeA ? a[p * m + i]! : a[i * k + p]!;
        const right = options.transposeB ? b[j * k + p]! : b[p * n + j]!;
        sum += left * right;
      }
      c[i * n + j] = sum;
    }
  }
  return c;
}

/**
 * Batch normalisation as a bijection (Papamakarios et al. 2017, section 3.3 and appendix B), float64.
 *
 * data → noise: y = (x − m)/√(v + ε)·exp(logGamma) + beta, where m and v are the mean and the biased
 * variance of each column. log|det ∂y/∂x| = Σ_d (logGamma_d − ½ log(v_d + ε)), the same for each row.
 * (That is the determinant with m and v held fixed, as in the paper: the rows of a batch are not independent.)
 */

/** ε of the paper. */
const batchNormEps = 1e-5;

/** Mean and variance of each column. */
export interface ColumnStatistics {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** m = mean, v = mean of (x − m)² (biased: divided by N), of x [N, D]. */
export function columnStatistics(x: ArrayLike<number>, n: number): ColumnStatistics {
  const features = x.length / n;
  const mean = new Float64Array(features);
  const variance = new Float64Array(features);
  for (let i = 0; i < x.length; i++) mean[i % features]! += x[i]! / n;
  for (let i = 0; i < x.length; i++) {
    variance[i % features]! += (x[i]! - mean[i % features]!) ** 2 / n;
  }
  return { mean, variance };
}

/** y [N, D] and logDet [N] with the statistics of the batch (training) or with given ones (evaluation). */
export function batchNormForward(
  x: ArrayLike<number>,
  n: number,
  logGamma: ArrayLike<number>,
  beta: ArrayLike<number>,
  statistics: ColumnStatistics = columnStatistics(x, n),
  eps = batchNormEps,
): { y: Float64Array; logDet: Float64Array } {
  const features = logGamma.length;
  const y = Float64Array.from(x, (value, i) => {
    const d = i % features;
    const normalised = (value - statistics.mean[d]!) / Math.sqrt(statistics.variance[d]! + eps);
    return normalised * Math.exp(logGamma[d]!) + beta[d]!;
  });
  let logDet = 0;
  for (let d = 0; d < features; d++) {
    logDet += logGamma[d]! - 0.5 * Math.log(statistics.variance[d]! + eps);
  }
  return { y, logDet: new Float64Array(n).fill(logDet) };
}

/** x = (y − beta)·exp(−logGamma)·√(v + ε) + m with given statistics; logDet is minus that of the forward map. */
export function batchNormInverse(
  y: ArrayLike<number>,
  n: number,
  logGamma: ArrayLike<number>,
  beta: ArrayLike<number>,
  statistics: ColumnStatistics,
  eps = batchNormEps,
): { y: Float64Array; logDet: Float64Array } {
  const features = logGamma.length;
  const x = Float64Array.from(y, (value, i) => {
    const d = i % features;
    const normalised = (value - beta[d]!) * Math.exp(-logGamma[d]!);
    return normalised * Math.sqrt(statistics.variance[d]! + eps) + statistics.mean[d]!;
  });
  let logDet = 0;
  for (let d = 0; d < features; d++) {
    logDet += 0.5 * Math.log(statistics.variance[d]! + eps) - logGamma[d]!;
  }
  return { y: x, logDet: new Float64Array(n).fill(logDet) };
}

/** Gradients of the layer. */
export interface BatchNormGradients {
  readonly dx: Float64Array;
  readonly dLogGamma: Float64Array;
  readonly dBeta: Float64Array;
}

/**
 * Gradients of Σ dy·y + Σ dLogDet·logDet. In training m and v depend on x. With s = √(v + ε), x̂ = (x − m)/s,
 * g = dy·exp(logGamma) and G = Σ dLogDet, a column's gradient is
 * dx = (g − mean(g) − x̂·mean(g·x̂))/s − G·x̂/(N·s), the last term from −½ log(v + ε).
 */
export function batchNormGradients(
  x: ArrayLike<number>,
  n: number,
  logGamma: ArrayLike<number>,
  dy: ArrayLike<number>,
  dLogDet: ArrayLike<number>,
  fixed: ColumnStatistics | null = null,
  eps = batchNormEps,
): BatchNormGradients {
  const features = logGamma.length;
  const { mean, variance } = fixed ?? columnStatistics(x, n);
  const dx = new Float64Array(x.length);
  const dLogGamma = new Float64Array(features);
  const dBeta = new Float64Array(features);
  let total = 0;
  for (let row = 0; row < n; row++) total += dLogDet[row]!;
  for (let d = 0; d < features; d++) {
    const s = Math.sqrt(variance[d]! + eps);
    const gamma = Math.exp(logGamma[d]!);
    let meanG = 0;
    let meanGx = 0;
    for (let row = 0; row < n; row++) {
      const i = row * features + d;
      const normalised = (x[i]! - mean[d]!) / s;
      meanG += (dy[i]! * gamma) / n;
      meanGx += (dy[i]! * gamma * normalised) / n;
      dBeta[d]! += dy[i]!;
      dLogGamma[d]! += dy[i]! * gamma * normalised;
    }
    dLogGamma[d]! += total;
    for (let row = 0; row < n; row++) {
      const i = row * features + d;
      const normalised = (x[i]! - mean[d]!) / s;
      const g = dy[i]! * gamma;
      dx[i] =
        fixed === null
          ? (g - meanG - normalised * meanGx) / s - (total * normalised) / (n * s)
          : g / s;
    }
  }
  return { dx, dLogGamma, dBeta };
}

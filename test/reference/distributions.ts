/** Log densities, float64: each function takes rows x [N, D] and gives [N]. */
import { softplus } from './activations';

const halfLog2Pi = 0.5 * Math.log(2 * Math.PI);

function sumRows(
  x: ArrayLike<number>,
  n: number,
  term: (value: number, d: number, row: number) => number,
): Float64Array {
  const features = x.length / n;
  const sums = new Float64Array(n);
  for (let i = 0; i < x.length; i++) {
    const row = Math.floor(i / features);
    sums[row]! += term(x[i]!, i % features, row);
  }
  return sums;
}

/** log N(x; 0, I). */
export function standardNormalLogProb(x: ArrayLike<number>, n: number): Float64Array {
  return sumRows(x, n, (value) => -0.5 * value * value - halfLog2Pi);
}

/** log N(x; loc, diag(exp(logScale))²), loc and logScale [D]. */
export function normalLogProb(
  x: ArrayLike<number>,
  n: number,
  loc: ArrayLike<number>,
  logScale: ArrayLike<number>,
): Float64Array {
  return sumRows(x, n, (value, d) => {
    const z = (value - loc[d]!) * Math.exp(-logScale[d]!);
    return -0.5 * z * z - logScale[d]! - halfLog2Pi;
  });
}

/** Logistic: p(x) = e^−z/(s(1 + e^−z)²), z = (x − loc)/s, s = exp(logScale). */
export function logisticLogProb(
  x: ArrayLike<number>,
  n: number,
  loc: ArrayLike<number>,
  logScale: ArrayLike<number>,
): Float64Array {
  return sumRows(x, n, (value, d) => {
    const z = (value - loc[d]!) * Math.exp(-logScale[d]!);
    return -z - 2 * softplus(-z) - logScale[d]!;
  });
}

/** −log(high − low) in [low, high], −Infinity outside. */
export function uniformLogProb(
  x: ArrayLike<number>,
  n: number,
  low: ArrayLike<number>,
  high: ArrayLike<number>,
): Float64Array {
  return sumRows(x, n, (value, d) =>
    value >= low[d]! && value <= high[d]! ? -Math.log(high[d]! - low[d]!) : -Infinity,
  );
}

/** log Σ exp(values), with the largest taken out. */
export function logSumExp(values: ArrayLike<number>): number {
  let largest = -Infinity;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, values[i]!);
  if (!Number.isFinite(largest)) return largest;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.exp(values[i]! - largest);
  return largest + Math.log(sum);
}

/** log Σ_k softmax(logits)_k·N(x; loc_k, exp(logScale_k)): K diagonal components over whole rows, loc [K, D]. */
export function mixtureOfGaussiansLogProb(
  x: ArrayLike<number>,
  n: number,
  logits: ArrayLike<number>,
  loc: ArrayLike<number>,
  logScale: ArrayLike<number>,
): Float64Array {
  const features = x.length / n;
  const normaliser = logSumExp(logits);
  const perComponent = Array.from(logits, (logWeight, k) => {
    const part = (values: ArrayLike<number>) =>
      Array.from({ length: features }, (_, d) => values[k * features + d]!);
    const logP = normalLogProb(x, n, part(loc), part(logScale));
    return logP.map((value) => value + logWeight - normaliser);
  });
  return Float64Array.from({ length: n }, (_, row) =>
    logSumExp(perComponent.map((values) => values[row]!)),
  );
}

/** Σ_d x_d·l_d − softplus(l_d) for x of 0 and 1 and logits [N, D] (MADE, eq. 3 negated). */
export function bernoulliLogProb(
  x: ArrayLike<number>,
  n: number,
  logits: ArrayLike<number>,
): Float64Array {
  const features = x.length / n;
  return sumRows(x, n, (value, d, row) => {
    const logit = logits[row * features + d]!;
    return value * logit - softplus(logit);
  });
}

/** log Γ(z), z > 0: Stirling's series beyond 20. */
function logGamma(z: number): number {
  let [w, below] = [z, 0];
  for (; w < 20; w++) below += Math.log(w);
  const series = 1 / (12 * w) - 1 / (360 * w ** 3) + 1 / (1260 * w ** 5) - 1 / (1680 * w ** 7);
  return (w - 0.5) * Math.log(w) - w + 0.5 * Math.log(2 * Math.PI) + series - below;
}

/** Student's t with degrees exp(logDegrees) of each feature. */
export function studentTLogProb(
  x: ArrayLike<number>,
  n: number,
  logDegrees: ArrayLike<number>,
): Float64Array {
  return sumRows(x, n, (value, d) => {
    const nu = Math.exp(logDegrees[d]!);
    const factor = logGamma((nu + 1) / 2) - logGamma(nu / 2) - 0.5 * Math.log(nu * Math.PI);
    return factor - ((nu + 1) / 2) * Math.log1p(value ** 2 / nu);
  });
}

/** Stimper et al. 2022, eq. 4, over standard normal proposals, with a network of one hidden layer of tanh units. */
export function resampledLogProb(
  x: ArrayLike<number>,
  n: number,
  network: Readonly<Record<string, ArrayLike<number>>>,
  { truncation, normalizer }: { truncation: number; normalizer: number },
): Float64Array {
  const [w0, b0] = [network['network.hidden.0.weight']!, network['network.hidden.0.bias']!];
  const [w1, b1] = [network['network.output.weight']!, network['network.output.bias']!];
  const cols = x.length / n;
  const forced = (1 - normalizer) ** (truncation - 1);
  return standardNormalLogProb(x, n).map((logProposal, row) => {
    let logit = b1[0]!;
    for (let h = 0; h < b0.length; h++) {
      let unit = b0[h]!;
      for (let c = 0; c < cols; c++) unit += w0[h * cols + c]! * x[row * cols + c]!;
      logit += w1[h]! * Math.tanh(unit);
    }
    const accepted = 1 / (1 + Math.exp(-logit));
    return logProposal + Math.log(((1 - forced) * accepted) / normalizer + forced);
  });
}

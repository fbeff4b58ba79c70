/** Log-probabilities of levels, float64: each function takes rows and gives one number a sample. */
import { sigmoid } from './activations';

function logSumExp(values: readonly number[]): number {
  const most = Math.max(...values);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

const isLevel = (x: number, levels: number) => Number.isInteger(x) && x >= 0 && x < levels;

/** Σ log softmax(logits)[x] over the rows of a sample: x [rows, C], logits [rows, C·K]. */
export function categoricalLogProb(
  logits: Float64Array,
  x: Float64Array,
  levels: number,
  samples: number,
): Float64Array {
  const sums = new Float64Array(samples);
  x.forEach((level, i) => {
    const own = [...logits.subarray(i * levels, (i + 1) * levels)];
    const sample = Math.floor((i * samples) / x.length);
    sums[sample]! += isLevel(level, levels) ? own[level]! - logSumExp(own) : -Infinity;
  });
  return sums;
}

/** Columns of a row of parameters of K mixtures and C channels. */
export const mixtureColumns = (K: number, C: number) => K * (1 + 2 * C + (C * (C - 1)) / 2);

/** P(x) of one bin: the difference of the distribution function, on the side where both numbers are small. */
function bin(v: number, mean: number, scale: number, half: number): number {
  const high = v >= 1 ? Infinity : (v + half - mean) / scale;
  const low = v <= -1 ? -Infinity : (v - half - mean) / scale;
  return high + low > 0 ? sigmoid(-low) - sigmoid(-high) : sigmoid(high) - sigmoid(low);
}

/** log Σ_k π_k Π_c P_kc(x_c) of one row. */
function mixtureLogProbOfRow(
  row: Float64Array,
  x: Float64Array,
  levels: number,
  least = -7,
): number {
  const C = x.length;
  const K = row.length / mixtureColumns(1, C);
  const v = x.map((level) => (2 * level) / (levels - 1) - 1);
  if (!x.every((level) => isLevel(level, levels))) return -Infinity;
  const terms: number[] = [];
  for (let k = 0; k < K; k++) {
    let term = row[k]!;
    let pair = 0;
    for (let c = 0; c < C; c++) {
      let mean = row[(1 + c) * K + k]!;
      for (let j = 0; j < c; j++) mean += Math.tanh(row[(1 + 2 * C + pair++) * K + k]!) * v[j]!;
      const scale = Math.exp(Math.max(least, row[(1 + C + c) * K + k]!));
      term += Math.log(bin(v[c]!, mean, scale, 1 / (levels - 1)));
    }
    terms.push(term);
  }
  return logSumExp(terms) - logSumExp([...row.subarray(0, K)]);
}

export function mixtureLogProb(
  params: Float64Array,
  x: Float64Array,
  channels: number,
  levels: number,
  samples: number,
  least = -7,
): Float64Array {
  const rows = x.length / channels;
  const columns = params.length / rows;
  const sums = new Float64Array(samples);
  for (let r = 0; r < rows; r++) {
    sums[Math.floor((r * samples) / rows)]! += mixtureLogProbOfRow(
      params.subarray(r * columns, (r + 1) * columns),
      x.subarray(r * channels, (r + 1) * channels),
      levels,
      least,
    );
  }
  return sums;
}

/** The smallest k whose cumulated probability is above u. */
export function drawCategory(logits: Float64Array, u: number): number {
  const most = Math.max(...logits);
  const e = logits.map((l) => Math.exp(l - most));
  const total = e.reduce((a, b) => a + b, 0);
  let sum = 0;
  for (let k = 0; k < e.length; k++) {
    sum += e[k]!;
    if (sum > u * total) return k;
  }
  return e.length - 1;
}

/** Levels of one row from 1 + C numbers. */
export function drawMixture(row: Float64Array, u: Float64Array, levels: number, least = -7) {
  const C = u.length - 1;
  const K = row.length / mixtureColumns(1, C);
  const k = drawCategory(row.subarray(0, K), u[0]!);
  const x: number[] = [];
  let pair = 0;
  for (let c = 0; c < C; c++) {
    let mean = row[(1 + c) * K + k]!;
    for (let j = 0; j < c; j++) {
      mean += Math.tanh(row[(1 + 2 * C + pair++) * K + k]!) * ((2 * x[j]!) / (levels - 1) - 1);
    }
    const scale = Math.exp(Math.max(least, row[(1 + C + c) * K + k]!));
    const value = mean + scale * Math.log(u[1 + c]! / (1 - u[1 + c]!));
    x.push(Math.min(levels - 1, Math.max(0, Math.round(((value + 1) / 2) * (levels - 1)))));
  }
  return x;
}

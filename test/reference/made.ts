/**
 * MADE (Germain et al. 2015, arXiv 1502.03509): degrees, masks, the network and its gradients, float64.
 *
 * Layout, the same as the library's and the goldens': hidden units are sorted by degree; weights are
 * [out, in]; outputs are interleaved, column d·P + p is parameter p of dimension d.
 */
import { type ActivationName, activations } from './activations';
import { linear, linearGradients, maskedLinear, maskedLinearGradients } from './linear';

/** Order of the dimensions: natural 1…D, reversed D…1, or the degree (1…D) of each dimension. */
export type InputOrder = 'natural' | 'reversed' | readonly number[];

/** The degree 1…D of each input dimension. */
export function inputDegrees(features: number, order: InputOrder): number[] {
  if (order === 'natural') return Array.from({ length: features }, (_, d) => d + 1);
  if (order === 'reversed') return Array.from({ length: features }, (_, d) => features - d);
  return [...order];
}

/**
 * Sequential degrees i mod (D − 1) + 1 of the units of a hidden layer, sorted.
 * `lowest` 0 gives i mod D: units of degree 0 see no input, only the context.
 */
export function sequentialDegrees(features: number, width: number, lowest: 0 | 1 = 1): number[] {
  const count = Math.max(features - lowest, 1);
  const degrees = Array.from({ length: width }, (_, i) => (i % count) + lowest);
  return degrees.sort((a, b) => a - b);
}

/** Mask [out, in] of a hidden layer, eq. 8 and its form for deep networks: out ≥ in. */
export function hiddenMask(outDegrees: readonly number[], inDegrees: readonly number[]): number[] {
  return outDegrees.flatMap((out) => inDegrees.map((degree) => (out >= degree ? 1 : 0)));
}

/** Mask [D·P, in] of the output layer (and of a direct connection), eq. 9: d > m(k), each row P times. */
export function outputMask(
  dimensionDegrees: readonly number[],
  inDegrees: readonly number[],
  outputsPerFeature: number,
): number[] {
  return dimensionDegrees.flatMap((d) => {
    const row = inDegrees.map((degree) => (d > degree ? 1 : 0));
    return Array.from({ length: outputsPerFeature }, () => row).flat();
  });
}

/** One masked layer: weight and mask [out, in], bias [out]. */
export interface MaskedLayer {
  readonly weight: ArrayLike<number>;
  readonly mask: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
}

/** A MADE with its numbers. */
export interface Made {
  readonly features: number;
  readonly outputsPerFeature: number;
  readonly activation: ActivationName;
  readonly inputDegrees: readonly number[];
  readonly hidden: readonly MaskedLayer[];
  readonly output: MaskedLayer;
  /** [H1, C], added before the first activation; no mask, no bias. */
  readonly contextWeight?: ArrayLike<number>;
  readonly contextFeatures?: number;
  /** Inputs straight to the outputs: [D·P, D] and its mask. */
  readonly direct?: { readonly weight: ArrayLike<number>; readonly mask: ArrayLike<number> };
}

interface Trace {
  /** Input of each hidden layer, then of the output layer. */
  readonly inputs: ArrayLike<number>[];
  /** Pre-activation of each hidden layer. */
  readonly pre: Float64Array[];
  readonly y: Float64Array;
}

function trace(
  made: Made,
  x: ArrayLike<number>,
  n: number,
  context: ArrayLike<number> | null,
): Trace {
  const { f } = activations[made.activation];
  const inputs: ArrayLike<number>[] = [x];
  const pre: Float64Array[] = [];
  let h: ArrayLike<number> = x;
  let width = made.features;
  made.hidden.forEach((layer, index) => {
    const out = layer.bias.length;
    const z = maskedLinear(h, layer.weight, layer.mask, layer.bias, n, width, out);
    if (index === 0 && context !== null) {
      const c = linear(context, made.contextWeight!, null, n, made.contextFeatures!, out);
      for (let i = 0; i < z.length; i++) z[i]! += c[i]!;
    }
    pre.push(z);
    h = z.map(f);
    inputs.push(h);
    width = out;
  });
  const out = made.output.bias.length;
  const y = maskedLinear(h, made.output.weight, made.output.mask, made.output.bias, n, width, out);
  if (made.direct) {
    const d = maskedLinear(x, made.direct.weight, made.direct.mask, null, n, made.features, out);
    for (let i = 0; i < y.length; i++) y[i]! += d[i]!;
  }
  return { inputs, pre, y };
}

/** x [N, D] (and context [N, C]) → [N, D·P]. */
export function madeForward(
  made: Made,
  x: ArrayLike<number>,
  n: number,
  context: ArrayLike<number> | null = null,
): Float64Array {
  return trace(made, x, n, context).y;
}

/** Gradients of a MADE; `hidden` in the order of the layers. */
export interface MadeGradients {
  readonly dx: Float64Array;
  readonly dContext: Float64Array | null;
  readonly hidden: { readonly dWeight: Float64Array; readonly dBias: Float64Array }[];
  readonly output: { readonly dWeight: Float64Array; readonly dBias: Float64Array };
  readonly dContextWeight: Float64Array | null;
  readonly dDirectWeight: Float64Array | null;
}

/** Gradients of Σ dy·y for dy [N, D·P]. */
export function madeGradients(
  made: Made,
  x: ArrayLike<number>,
  n: number,
  dy: ArrayLike<number>,
  context: ArrayLike<number> | null = null,
): MadeGradients {
  const { df } = activations[made.activation];
  const { inputs, pre } = trace(made, x, n, context);
  const widths = [made.features, ...made.hidden.map((layer) => layer.bias.length)];
  const last = made.hidden.length;
  const out = made.output.bias.length;
  const { weight, mask } = made.output;
  const output = maskedLinearGradients(inputs[last]!, weight, mask, dy, n, widths[last]!, out);

  let dh = output.dx;
  const hidden: MadeGradients['hidden'] = [];
  let fromContext: { dx: Float64Array; dWeight: Float64Array } | null = null;
  for (let k = last - 1; k >= 0; k--) {
    const dz = pre[k]!.map((z, i) => dh[i]! * df(z));
    const layer = made.hidden[k]!;
    const [fanIn, fanOut] = [widths[k]!, widths[k + 1]!];
    const g = maskedLinearGradients(inputs[k]!, layer.weight, layer.mask, dz, n, fanIn, fanOut);
    hidden.unshift({ dWeight: g.dWeight, dBias: g.dBias });
    dh = g.dx;
    if (k === 0 && context !== null) {
      const features = made.contextFeatures!;
      fromContext = linearGradients(context, made.contextWeight!, dz, n, features, fanOut);
    }
  }
  let dDirectWeight: Float64Array | null = null;
  if (made.direct) {
    const { weight: w, mask: m } = made.direct;
    const g = maskedLinearGradients(x, w, m, dy, n, made.features, out);
    dDirectWeight = g.dWeight;
    for (let i = 0; i < dh.length; i++) dh[i]! += g.dx[i]!;
  }
  return {
    dx: dh,
    dContext: fromContext?.dx ?? null,
    hidden,
    output: { dWeight: output.dWeight, dBias: output.dBias },
    dContextWeight: fromContext?.dWeight ?? null,
    dDirectWeight,
  };
}

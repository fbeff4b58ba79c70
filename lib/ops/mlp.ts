/** A network of linear layers as one op: forward in one instruction, backward in another. */
import { isTracked, record } from '../autograd/tape';
import { anything, checkOptions, type Rules, required } from '../options';
import { execute, type OutputSpec } from '../tensor/execute';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { type Activation, activationRule, encodeActivation } from './activation';
import { activationGrad } from './activationGrad';
import { add } from './binary';
import { requireLayers, requireTensor } from './check';
import { linear } from './linear';
import { maskedLinear } from './maskedLinear';
import { maskedLinearGradInput } from './maskedLinearGradInput';
import { maskedLinearGradWeight } from './maskedLinearGradWeight';
import { leadingOf, matmul } from './matmul';

/** A layer as a plain structure; nn's Linear and MaskedLinear are some. */
export interface MlpLayer {
  /** [units, inputs] */
  readonly weight: Tensor;
  /** [units] */
  readonly bias: Tensor | null;
  /** int32 [units]: unit u sees the inputs i < extents[u]. Left out: all. */
  readonly extents?: Tensor | null;
}

export interface MlpOptions {
  /** Of every layer but the last. */
  readonly activation: Activation;
  /** [N, H], added to the first layer before its activation. */
  readonly addend?: Tensor | null;
}

/**
 * On a CPU: up to here the one instruction is the faster way: its tasks run a block of rows through all layers, with weights that each
 * thread packs once and that stay in its core's cache, and few rows leave little to do between two meetings of the threads. Beyond, layer
 * by layer, the threads meet seldom enough, and weights pass through the cache a panel at a time. On a GPU one instruction has fewer
 * launches at any size.
 */
const mostRows = 1024;
const mostWeightBytes = 512 << 10;
const mostLayers = 32;

function isFused(x: Tensor, layers: readonly MlpLayer[], { addend }: MlpOptions): boolean {
  let inputs = x.cols;
  let elements = 0;
  for (const { weight, bias, extents } of layers) {
    const [units, cols] = weight.shape;
    const fits =
      weight.shape.length === 2 &&
      cols === inputs &&
      weight.dtype === x.dtype &&
      (bias === null || (bias.dtype === x.dtype && bias.size === units && bias.rows === 1)) &&
      (!extents || (extents.dtype === 'int32' && extents.size === units && extents.rows === 1));
    // What does not fit is for the layers to say.
    if (!fits) return false;
    elements += weight.size;
    inputs = weight.rows;
  }
  const first = layers[0]?.weight.rows ?? 0;
  const added =
    !addend || (addend.dtype === x.dtype && addend.rows === x.rows && addend.cols === first);
  const isFloat = x.dtype === 'float32' || x.dtype === 'float64';
  return (
    isFloat &&
    added &&
    x.shape.length >= 1 &&
    layers.length >= 1 &&
    layers.length <= mostLayers &&
    (x.device === 'cuda' ||
      (x.rows <= mostRows && elements * (x.dtype === 'float32' ? 4 : 8) <= mostWeightBytes))
  );
}

/** The same by an op a layer. */
function layered(x: Tensor, layers: readonly MlpLayer[], options: MlpOptions): Tensor {
  let h = x;
  layers.forEach(({ weight, bias, extents }, index) => {
    const activation = index + 1 < layers.length ? options.activation : 'none';
    const addend = index === 0 ? (options.addend ?? null) : null;
    h = extents
      ? maskedLinear(h, weight, bias, { activation, addend, extents })
      : linear(h, weight, bias, { activation, addend });
  });
  return h;
}

/** Backward by ops that can be differentiated again; the values of hidden layers may have gradients of their own. */
function composed(
  { x, weights, extents, values }: Saved,
  d: readonly (Tensor | null)[],
  needs: readonly boolean[],
  activation: Activation,
): (Tensor | null)[] {
  const gradients: (Tensor | null)[] = needs.map(() => null);
  let dy = d[weights.length - 1] ?? null;
  for (let l = weights.length - 1; l >= 0; l--) {
    const [weight, mask] = [weights[l] as Tensor, extents[l] ?? null];
    const from = l === 0 ? x : (values[l - 1] as Tensor);
    if (dy !== null) {
      const isLast = l === weights.length - 1;
      const { dPre, dBias } = activationGrad(
        dy,
        isLast ? null : (values[l] as Tensor),
        isLast ? 'none' : activation,
        { input: true, bias: needs[3 + 2 * l] ?? false },
      );
      const dz = dPre as Tensor;
      gradients[3 + 2 * l] = dBias;
      if (needs[2 + 2 * l])
        gradients[2 + 2 * l] = mask
          ? maskedLinearGradWeight(dz, from, mask)
          : matmul(dz, from, { transposeA: true });
      if (l === 0 && needs[1]) gradients[1] = dz;
      if (l > 0 || needs[0])
        dy = mask ? maskedLinearGradInput(dz, weight, mask) : matmul(dz, weight);
    }
    if (l === 0) {
      if (needs[0]) gradients[0] = dy;
    } else {
      const own = d[l - 1] ?? null;
      dy = dy && own ? add(dy, own) : (own ?? dy);
    }
  }
  return gradients;
}

interface Saved {
  readonly x: Tensor;
  readonly weights: readonly Tensor[];
  readonly extents: readonly (Tensor | null)[];
  /** Of the hidden layers. */
  readonly values: readonly Tensor[];
}

/** Backward by the one instruction. */
function fused(
  { x, weights, extents, values }: Saved,
  dy: Tensor,
  like: readonly (OutputSpec | null)[],
  needs: readonly boolean[],
  activation: Activation,
  soFar: (input: number) => Tensor | null,
): (Tensor | null)[] {
  const inputs = [
    dy,
    x,
    needs[0] ? soFar(0) : null,
    ...weights.flatMap((weight, l) => [weight, extents[l] ?? null]),
    ...values,
  ];
  const outputs = like.map((spec, k) => (needs[k] ? spec : null));
  const made = execute('mlp_grad', inputs, outputs, encodeActivation('mlp', activation));
  let next = 0;
  return outputs.map((spec) => (spec ? (made[next++] as Tensor) : null));
}

const mlpRules: Rules<MlpOptions> = { activation: required(activationRule), addend: anything };

/**
 * h_0 = x, h_l = act(h_(l−1)·W_lᵀ + b_l (+ addend in the first)), the last layer without activation. Small networks on few
 * rows run as one instruction. Differentiable any number of times.
 *
 * @param x [.., in] float32 or float64
 * @param layers one at least
 * @returns [.., out]
 * @throws FlowError SHAPE, DTYPE, ARGUMENT, as linear and maskedLinear do
 */
export function mlp(x: Tensor, layers: readonly MlpLayer[], options: MlpOptions): Tensor {
  requireTensor('mlp', 'x', x);
  requireLayers('mlp', layers);
  checkOptions('mlp', options, mlpRules);
  const { activation, addend = null } = options;
  if (!isFused(x, layers, options)) return scope(() => layered(x, layers, options));
  return scope(() => {
    const { dtype } = x;
    const outputs = layers.map(({ weight }) => ({ shape: [...leadingOf(x), weight.rows], dtype }));
    const extents = layers.map((layer) => layer.extents ?? null);
    const operands = layers.flatMap(({ weight, bias }, l) => [weight, bias, extents[l] as Tensor]);
    const attributes = encodeActivation('mlp', activation);
    const values = execute('mlp', [x, addend, ...operands], outputs, attributes);
    const tracked = [x, addend, ...layers.flatMap(({ weight, bias }) => [weight, bias])];
    if (isTracked(tracked)) {
      const weights = layers.map(({ weight }) => weight);
      const masks = extents.filter((mask) => mask !== null);
      const like = tracked.map((tensor) => tensor && { shape: tensor.shape, dtype: tensor.dtype });
      const kept = [x, ...weights, ...masks, ...values.slice(0, -1)];
      record('mlp', tracked, values, kept, (saved, d, needs, soFar) => {
        let next = 1 + weights.length;
        const own: Saved = {
          x: saved[0] as Tensor,
          weights: saved.slice(1, next),
          extents: extents.map((mask) => (mask ? (saved[next++] as Tensor) : null)),
          values: saved.slice(next),
        };
        const dy = d[d.length - 1] ?? null;
        const alone = dy !== null && d.slice(0, -1).every((gradient) => !gradient);
        if (alone && !isTracked([...saved, dy]))
          return fused(own, dy, like, needs, activation, soFar);
        return composed(own, d, needs, activation);
      });
    }
    return values[values.length - 1] as Tensor;
  });
}

/** Weights of layers times a factor for each output. */
import { isTracked } from '../autograd/tape';
import { expected, FlowError } from '../errors';
import { formatShape } from '../shape';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { affineScalar } from './affineScalar';
import { add, div, mul, sub } from './binary';
import { requireFloat, requireLayers, requireSameDType, requireShape } from './check';
import { apply, type OpDefinition } from './define';
import { zeros } from './fill';
import { reshape } from './reshape';
import { sum } from './sum';
import { exp, sqrt, square } from './unary';

/** A layer whose weight and bias are multiplied output by output. */
export interface ScaledLayer {
  /** v [out, in]. */
  readonly weight: Tensor;
  /** [out], or null. */
  readonly bias: Tensor | null;
  /** [out]: weight and bias are multiplied by exp(factor·logScale), as by conv2d_zeros of Glow's code. Null: by 1. */
  readonly logScale: Tensor | null;
  /** [out]: the weight is gain·v/‖v‖, row by row: Salimans, Kingma 2016, "Weight Normalization", eq. 2. Null: v. */
  readonly gain: Tensor | null;
}

export interface ScaledWeights {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
}

interface Attributes {
  readonly factor: number;
}

const perLayer = 4;

function checkLayer({ weight, bias, logScale, gain }: ScaledLayer): void {
  requireFloat('scaleWeights', 'weight', weight);
  if (weight.shape.length !== 2) {
    throw new FlowError(
      'SHAPE',
      expected(
        'scaleWeights',
        'weight',
        'shape [out, in]',
        formatShape(weight.shape),
        'one row an output',
      ),
    );
  }
  checkRows('bias', bias, weight);
  checkRows('logScale', logScale, weight);
  checkRows('gain', gain, weight);
}

function checkRows(name: string, tensor: Tensor | null, weight: Tensor): void {
  if (!tensor) return;
  requireSameDType('scaleWeights', name, tensor, weight);
  if (tensor.shape.length === 1 && tensor.shape[0] === weight.rows) return;
  requireShape('scaleWeights', name, tensor, [weight.rows], 'one number an output');
}

function layersOf(inputs: readonly (Tensor | null)[]): ScaledLayer[] {
  const layers: ScaledLayer[] = [];
  for (let at = 0; at < inputs.length; at += perLayer) {
    layers.push({
      weight: inputs[at] as Tensor,
      bias: inputs[at + 1] ?? null,
      logScale: inputs[at + 2] ?? null,
      gain: inputs[at + 3] ?? null,
    });
  }
  return layers;
}

/** Gradients of weight, bias, logScale and gain of a layer, in this order. */
type Gradients = [Tensor | null, Tensor | null, Tensor | null, Tensor | null];

/** By ops that a tape knows, for gradients of gradients. */
function composed(layer: ScaledLayer, dWeight: Tensor, dBias: Tensor | null, factor: number) {
  const { weight, bias, logScale, gain } = layer;
  const column = (rows: Tensor) => reshape(rows, [weight.rows, 1]);
  const scaled = (rows: Tensor) => (outer ? mul(outer, rows) : rows);
  const outer = logScale && exp(affineScalar(logScale, factor));
  const dot = sum(mul(weight, dWeight), -1);
  const squares = gain && sum(square(weight), -1);
  const norm = squares && sqrt(squares);
  const scale = gain && norm ? scaled(div(gain, norm)) : outer;
  const across = squares ? sub(dWeight, mul(weight, column(div(dot, squares)))) : dWeight;
  const toBias = dBias && scaled(dBias);
  let toScale = logScale && scale && mul(scale, dot);
  if (toScale && toBias && bias) toScale = add(toScale, mul(toBias, bias));
  return [
    scale ? mul(across, column(scale)) : across,
    bias && toBias,
    toScale && affineScalar(toScale, factor),
    norm && scaled(div(dot, norm)),
  ] as Gradients;
}

/** In one instruction for all layers. */
function fused(
  layers: readonly (ScaledLayer & { dWeight: Tensor; dBias: Tensor | null })[],
  factor: number,
): Gradients[] {
  const like = (tensor: Tensor | null) => tensor && { shape: tensor.shape, dtype: tensor.dtype };
  const wanted = layers.flatMap(({ weight, bias, logScale, gain, dBias }) =>
    [weight, dBias && bias, logScale, gain].map(like),
  );
  const made = execute(
    'scale_weights_grad',
    layers.flatMap(({ weight, bias, logScale, gain, dWeight, dBias }) => [
      ...[weight, bias, logScale, gain],
      ...[dWeight, dBias],
    ]),
    wanted,
    [factor],
  );
  let next = 0;
  const all = wanted.map((spec) => (spec ? (made[next++] as Tensor) : null));
  return layers.map((_, k) => all.slice(perLayer * k, perLayer * (k + 1)) as Gradients);
}

function definitionOf(layers: number): OpDefinition<Attributes> {
  return {
    name: 'scale_weights',
    outputs: (inputs) =>
      layersOf(inputs).flatMap((layer) => {
        checkLayer(layer);
        const { weight, bias } = layer;
        const { dtype } = weight;
        return [{ shape: weight.shape, dtype }, bias && { shape: bias.shape, dtype }];
      }),
    encode: ({ factor }) => [factor],
    saves: {
      inputs: Array.from({ length: perLayer * layers }, (_, i) => i),
      outputs: [],
    },
    vjp({ inputs, d, needs, attributes: { factor } }) {
      const gradients: (Tensor | null)[] = inputs.map(() => null);
      // Outputs are numbered without the biases that are not there.
      let next = 0;
      const wanted = layersOf(inputs).flatMap((layer, k) => {
        const dScaled = d[next++] ?? null;
        const dBias = layer.bias ? (d[next++] ?? null) : null;
        const isWanted = needs.slice(perLayer * k, perLayer * (k + 1)).some(Boolean);
        if (!isWanted || !(dScaled || dBias)) return [];
        const { shape, dtype } = layer.weight;
        const dWeight = dScaled ?? zeros(shape, dtype === 'float32' ? 'float32' : 'float64');
        return [{ k, ...layer, dWeight, dBias }];
      });
      if (wanted.length === 0) return gradients;
      const found = isTracked([...inputs, ...d])
        ? wanted.map((layer) => composed(layer, layer.dWeight, layer.dBias, factor))
        : fused(wanted, factor);
      for (const [i, { k }] of wanted.entries())
        for (const [j, gradient] of (found[i] as Gradients).entries())
          gradients[perLayer * k + j] = gradient;
      return gradients;
    },
  };
}

/** By the number of layers. */
const definitions = new Map<number, OpDefinition<Attributes>>();

/**
 * The weights of many layers, of any sizes, output by output times exp(factor·logScale) and, with a gain, of norm 1 before: in one
 * instruction, on a GPU in one launch; the gradients likewise. Differentiable any number of times. A row of zeros has no direction:
 * with a gain it becomes NaN.
 *
 * @throws FlowError SHAPE, DTYPE
 */
export function scaleWeights(layers: readonly ScaledLayer[], factor = 1): ScaledWeights[] {
  requireLayers('scaleWeights', layers);
  // A gain does not concern the bias.
  const inputs = layers.flatMap(({ weight, bias, logScale, gain }) => [
    ...[weight, logScale && bias],
    ...[logScale, gain],
  ]);
  const definition = definitions.get(layers.length) ?? definitionOf(layers.length);
  definitions.set(layers.length, definition);
  const made = apply(definition, inputs, { factor });
  let next = 0;
  return layers.map(({ bias, logScale }) => {
    const weight = made[next++] as Tensor;
    return { weight, bias: bias && logScale ? (made[next++] as Tensor) : bias };
  });
}

/** Convolutions one after another, with one backward pass for all of them. */
import { isTracked, record } from '../autograd/tape';
import { expected, FlowError } from '../errors';
import { anything, checkOptions } from '../options';
import { execute, type OutputSpec } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { type Activation, encodeActivation } from './activation';
import { activationGrad } from './activationGrad';
import { add } from './binary';
import { requireLayers, requireTensor } from './check';
import { conv2dOutput } from './conv2d';
import {
  type ConvGeometry,
  type EncodedGeometry,
  encodeConv,
  encodeGeometry,
  type PixelTensor,
} from './conv2dGeometry';
import { conv2dGradInput } from './conv2dGradInput';
import { conv2dGradWeight } from './conv2dGradWeight';
import { leadingOf } from './matmul';

export interface ConvStackLayer extends ConvGeometry {
  /** [out, kh·kw·in]. */
  readonly weight: Tensor;
  /** [out], or null. */
  readonly bias: Tensor | null;
  /** Default none. */
  readonly activation?: Activation;
}

export interface ConvStackOptions {
  /** Of the shape of the first layer's result, added before its activation. */
  readonly addend?: Tensor | null;
}

/** Layers and elements of weights up to which a stack is one native call: beyond, products of single layers are better cut. */
const mostLayers = 16;
const mostWeights = 128 << 10;
/** Pixels of an image up to which its hidden layers stay in the cache, and images from which on there is work for all threads. */
const mostPixels = 1024;
const leastImages = 4;

interface Layer {
  readonly geometry: EncodedGeometry;
  readonly activation: Activation;
}

/** Attributes of native/ops/conv_stack.h. */
function encodeLayers(layers: readonly Layer[]): number[] {
  return [
    layers.length,
    ...layers.flatMap(({ geometry, activation }) => [
      geometry.taps.length / 3,
      ...encodeConv(geometry, encodeActivation('convStack', activation)),
    ]),
  ];
}

/** Whether the layers go through one native call. By the sizes alone, so that a result does not depend on what is wanted. */
function isSmall(x: Tensor, layers: readonly Layer[], weights: readonly Tensor[]): boolean {
  const { height, width } = (layers[0] as Layer).geometry;
  const same = layers.every(
    ({ geometry }) => geometry.height === height && geometry.width === width,
  );
  return (
    same &&
    layers.length <= mostLayers &&
    height * width <= mostPixels &&
    x.rows >= leastImages * height * width &&
    weights.reduce((total, weight) => total + weight.size, 0) <= mostWeights
  );
}

/** What the vjp works with: `values` are x and the output of each layer. */
interface Backward {
  readonly layers: readonly Layer[];
  readonly weights: readonly Tensor[];
  readonly values: readonly Tensor[];
  /** Gradient by the output of each layer. */
  readonly d: readonly (Tensor | null)[];
  readonly needs: { x: boolean; addend: boolean; weights: boolean[]; biases: boolean[] };
}

interface Gradients {
  dx: Tensor | null;
  dAddend: Tensor | null;
  readonly dWeights: (Tensor | null)[];
  readonly dBiases: (Tensor | null)[];
}

/** Whether anything before the activation of layer k wants a gradient other than by its own weight and bias. */
function wantsBelow({ x, addend, weights, biases }: Backward['needs'], k: number): boolean {
  return x || addend || weights.slice(0, k).some(Boolean) || biases.slice(0, k).some(Boolean);
}

/** All gradients in one native call. */
function fused({ layers, weights, values, d, needs }: Backward): Gradients {
  const [x, dy] = [values[0] as Tensor, d[layers.length - 1] as Tensor];
  const like = (tensor: Tensor) => ({ shape: tensor.shape, dtype: tensor.dtype });
  const wanted = [
    needs.x ? like(x) : null,
    needs.addend ? like(values[1] as Tensor) : null,
    ...layers.flatMap((_, k) => {
      const weight = weights[k] as Tensor;
      return [
        needs.weights[k] ? like(weight) : null,
        needs.biases[k] ? { shape: [weight.rows], dtype: weight.dtype } : null,
      ];
    }),
  ];
  const made = execute(
    'conv_stack_grad',
    [dy, x, ...layers.flatMap((_, k) => [weights[k] as Tensor, values[k + 1] as Tensor])],
    wanted,
    encodeLayers(layers),
  );
  let next = 0;
  const [dx = null, dAddend = null, ...rest] = wanted.map((spec) =>
    spec ? (made[next++] as Tensor) : null,
  );
  return {
    ...{ dx, dAddend },
    dWeights: layers.map((_, k) => rest[2 * k] ?? null),
    dBiases: layers.map((_, k) => rest[2 * k + 1] ?? null),
  };
}

/** The same one by one, with act' in the epilogue of the product before, and the sums of the biases beside the weights. */
function layerwise({ layers, weights, values, d, needs }: Backward): Gradients {
  const last = layers.length - 1;
  const found: Gradients = { dx: null, dAddend: null, dWeights: [], dBiases: [] };
  const dy = d[last] as Tensor;
  let dPre = activationGrad(dy, values[last + 1] as Tensor, (layers[last] as Layer).activation, {
    input: true,
    bias: false,
  }).dPre as Tensor;
  for (let k = last; k >= 0; k--) {
    const { geometry } = layers[k] as Layer;
    const [weight, input] = [weights[k] as Tensor, values[k] as Tensor];
    const { dtype } = weight;
    if (needs.weights[k] || needs.biases[k]) {
      // The sums come with the weight's gradient even where that is not wanted: their bits are then always the same.
      const [dWeight, dBias] = execute(
        'conv2d_grad_weight',
        [dPre, input],
        [
          { shape: weight.shape, dtype },
          ...(needs.biases[k] ? [{ shape: [weight.rows], dtype }] : []),
        ],
        encodeConv(geometry),
      );
      found.dWeights[k] = dWeight ?? null;
      found.dBiases[k] = dBias ?? null;
    }
    if (k === 0 && needs.addend) found.dAddend = dPre;
    if (k === 0 ? !needs.x : !wantsBelow(needs, k)) break;
    const before = layers[k - 1]?.activation ?? 'none';
    const [dInput] = execute(
      'conv2d_grad_input',
      [dPre, weight, before === 'none' ? null : input],
      [{ shape: input.shape, dtype }],
      encodeConv(geometry, encodeActivation('convStack', before)),
    );
    if (dPre !== dy && dPre !== found.dAddend) dPre.dispose();
    if (k === 0) found.dx = dInput as Tensor;
    else dPre = dInput as Tensor;
  }
  return found;
}

/** The same by ops that a tape knows, for gradients of gradients; the outputs between then have gradients of their own. */
function composed({ layers, weights, values, d, needs }: Backward): Gradients {
  const found: Gradients = { dx: null, dAddend: null, dWeights: [], dBiases: [] };
  let above: Tensor | null = null;
  for (let k = layers.length - 1; k >= 0; k--) {
    const { geometry, activation } = layers[k] as Layer;
    const own = d[k] ?? null;
    const total: Tensor | null = above && own ? add(above, own) : (above ?? own);
    above = null;
    if (total === null) continue;
    const below = k === 0 ? needs.x : wantsBelow(needs, k);
    const { dPre, dBias } = activationGrad(total, values[k + 1] as Tensor, activation, {
      input: below || (needs.weights[k] ?? false) || (k === 0 && needs.addend),
      bias: needs.biases[k] ?? false,
    });
    found.dBiases[k] = dBias;
    if (needs.weights[k])
      found.dWeights[k] = conv2dGradWeight(dPre as Tensor, values[k] as Tensor, geometry);
    if (k === 0 && needs.addend) found.dAddend = dPre;
    if (below) above = conv2dGradInput(dPre as Tensor, weights[k] as Tensor, geometry);
  }
  found.dx = above;
  return found;
}

/** Checks the layers as conv2d does; the shapes of their outputs. */
function layerShapes(
  x: Tensor,
  layers: readonly Layer[],
  weights: readonly Tensor[],
  biases: readonly (Tensor | null)[],
  addend: Tensor | null,
): OutputSpec[] {
  let before: PixelTensor = x;
  return layers.map(({ geometry }, k) => {
    const weight = weights[k] as Tensor;
    const added = k === 0 ? addend : null;
    const spec = conv2dOutput('convStack', before, weight, biases[k], added, geometry);
    before = { ...spec, rows: x.rows, cols: weight.rows };
    return spec;
  });
}

/** The outputs of the layers, each by a call of its own; without a tape what is between goes as it was read. */
function oneByOne(
  x: Tensor,
  layers: readonly Layer[],
  weights: readonly Tensor[],
  biases: readonly (Tensor | null)[],
  addend: Tensor | null,
  keeps: boolean,
): Tensor[] {
  const outputs: Tensor[] = [];
  for (const [k, { geometry, activation }] of layers.entries()) {
    const input = outputs[k - 1] ?? x;
    const weight = weights[k] as Tensor;
    const spec = { shape: [...leadingOf(x), weight.rows], dtype: x.dtype };
    const [y] = execute(
      'conv2d',
      [input, weight, biases[k] ?? null, k === 0 ? addend : null],
      [spec],
      encodeConv(geometry, encodeActivation('convStack', activation)),
    );
    outputs.push(y as Tensor);
    if (!keeps && k > 0) input.dispose();
  }
  return outputs;
}

/**
 * conv2d after conv2d: what {@link conv2d} would make of the layers one by one. Small networks go image by image, so that
 * what is between stays in the cache, and the gradients between are never written to memory; in large ones the derivative
 * of an activation is multiplied in where a gradient is written. Differentiable any number of times.
 *
 * @param x [images·height·width, in of the first layer]; may be a view of some columns of a wider tensor
 * @returns [images·height·width, out of the last layer]
 * @throws FlowError ARGUMENT without layers; as conv2d
 */
export function convStack(
  x: Tensor,
  layers: readonly ConvStackLayer[],
  options: ConvStackOptions = {},
): Tensor {
  requireTensor('convStack', 'x', x);
  requireLayers('convStack', layers);
  checkOptions('convStack', options, { addend: anything });
  const { addend = null } = options;
  if (layers.length === 0) {
    throw new FlowError(
      'ARGUMENT',
      expected('convStack', 'layers', 'at least one', 'none', 'pass a layer'),
    );
  }
  const weights = layers.map(({ weight }) => weight);
  const biases = layers.map(({ bias }) => bias);
  const encoded = layers.map(({ activation = 'none', ...rest }) => ({
    geometry: encodeGeometry('convStack', rest),
    activation,
  }));
  const shapes = layerShapes(x, encoded, weights, biases, addend);
  const small = isSmall(x, encoded, weights);
  const inputs = [x, addend, ...weights, ...biases];
  const tracked = isTracked(inputs);
  const outputs = small
    ? execute(
        'conv_stack',
        [x, addend, ...layers.flatMap(({ weight, bias }) => [weight, bias])],
        shapes,
        encodeLayers(encoded),
      )
    : oneByOne(x, encoded, weights, biases, addend, tracked);
  const result = outputs[outputs.length - 1] as Tensor;
  if (!tracked) {
    if (small) for (const between of outputs.slice(0, -1)) between.dispose();
    return result;
  }

  record('convStack', inputs, outputs, [x, ...outputs, ...weights], (saved, d, needs) => {
    const count = layers.length;
    const pass: Backward = {
      layers: encoded,
      values: saved.slice(0, count + 1),
      weights: saved.slice(count + 1),
      d,
      needs: {
        x: needs[0] ?? false,
        addend: needs[1] ?? false,
        weights: needs.slice(2, 2 + count),
        biases: needs.slice(2 + count),
      },
    };
    const betweenTouched = d.slice(0, -1).some((one) => one !== null);
    const { dx, dAddend, dWeights, dBiases } =
      betweenTouched || isTracked([...saved, ...d])
        ? composed(pass)
        : small
          ? fused(pass)
          : layerwise(pass);
    return [
      dx,
      dAddend,
      ...weights.map((_, k) => dWeights[k] ?? null),
      ...weights.map((_, k) => dBiases[k] ?? null),
    ];
  });
  return result;
}

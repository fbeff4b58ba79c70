/** Convolutions one after another, with one backward pass for all of them. */
import { isTracked, record, withoutTape } from '../autograd/tape';
import { expected, FlowError } from '../errors';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { type Activation, encodeActivation } from './activation';
import { activationGrad } from './activationGrad';
import { add } from './binary';
import { conv2d } from './conv2d';
import {
  type ConvGeometry,
  type EncodedGeometry,
  encodeConv,
  encodeGeometry,
} from './conv2dGeometry';
import { conv2dGradInput } from './conv2dGradInput';
import { conv2dGradWeight } from './conv2dGradWeight';

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

interface Layer {
  readonly geometry: EncodedGeometry;
  readonly activation: Activation;
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

/** The gradients with act' in the epilogue of the product before, and the sums of the biases in that of the weights. */
function fused({ layers, weights, values, d, needs }: Backward): Gradients {
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

/**
 * conv2d after conv2d: what {@link conv2d} would make of the layers one by one. The backward pass goes over the hidden pixels
 * fewer times: the derivative of an activation is multiplied in where a gradient is written, and a bias' gradient is summed
 * where its weight's is read. Differentiable any number of times.
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
  const { addend = null } = options;
  if (layers.length === 0) {
    throw new FlowError(
      'ARGUMENT',
      expected('convStack', 'layers', 'at least one', 'none', 'pass a layer'),
    );
  }
  const weights = layers.map(({ weight }) => weight);
  const biases = layers.map(({ bias }) => bias);
  const inputs = [x, addend, ...weights, ...biases];
  const tracked = isTracked(inputs);
  const outputs: Tensor[] = [];
  withoutTape(() => {
    for (const [k, { weight, bias, ...rest }] of layers.entries()) {
      const input = outputs[k - 1] ?? x;
      outputs.push(conv2d(input, weight, bias, { ...rest, addend: k === 0 ? addend : null }));
      if (!tracked && k > 0) input.dispose();
    }
  });
  const result = outputs[outputs.length - 1] as Tensor;
  if (!tracked) return result;

  const encoded = layers.map(({ activation = 'none', ...rest }) => ({
    geometry: encodeGeometry('convStack', rest),
    activation,
  }));
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
      betweenTouched || isTracked([...saved, ...d]) ? composed(pass) : fused(pass);
    return [
      dx,
      dAddend,
      ...weights.map((_, k) => dWeights[k] ?? null),
      ...weights.map((_, k) => dBiases[k] ?? null),
    ];
  });
  return result;
}

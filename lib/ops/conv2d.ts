/** Convolutions of images whose pixels are rows, channels last, with bias, addend and activation in the epilogue. */
import { FlowError } from '../errors';
import { anything, checkOptions, type Rules } from '../options';
import type { Tensor } from '../tensor/tensor';
import { type Activation, encodeActivation } from './activation';
import { activationGrad } from './activationGrad';
import { requireSameDType, requireShape } from './check';
import {
  type ConvGeometry,
  type EncodedGeometry,
  encodeConv,
  encodeGeometry,
  geometryRules,
  type PixelTensor,
  requireConvWeight,
  requirePixels,
} from './conv2dGeometry';
import { conv2dGradInput } from './conv2dGradInput';
import { conv2dGradWeight } from './conv2dGradWeight';
import { apply, type OpDefinition } from './define';

export interface Conv2dOptions extends ConvGeometry {
  /** Applied to the sum, bias and addend included. Default none. */
  readonly activation?: Activation;
  /** Of the shape of the result, added before the activation: a residual, the part of a context. */
  readonly addend?: Tensor | null;
}

interface Attributes {
  readonly geometry: EncodedGeometry;
  readonly activation: Activation;
}

/** The shape rule of conv2d and convStack. */
export function conv2dOutput(
  where: string,
  x: PixelTensor | null | undefined,
  weight: Tensor | null | undefined,
  bias: Tensor | null | undefined,
  addend: Tensor | null | undefined,
  geometry: EncodedGeometry,
) {
  if (!x || !weight) {
    throw new FlowError(
      'ARGUMENT',
      `[${where}] operands: expected x and weight, got fewer: pass tensors`,
    );
  }
  requirePixels(where, 'x', x, geometry);
  requireConvWeight(where, weight, x, null, x.cols, geometry);
  const shape = [...x.shape.slice(0, -1), weight.rows];
  if (bias) {
    requireSameDType(where, 'bias', bias, weight);
    requireShape(where, 'bias', bias, [weight.rows], 'one number an output');
  }
  if (addend) {
    requireSameDType(where, 'addend', addend, weight);
    requireShape(where, 'addend', addend, shape, 'it is added to the result as it is');
  }
  return { shape, dtype: x.dtype };
}

const definition: OpDefinition<Attributes> = {
  name: 'conv2d',
  outputs: ([x, weight, bias, addend], { geometry }) => [
    conv2dOutput('conv2d', x, weight, bias, addend, geometry),
  ],
  encode: ({ geometry, activation }) =>
    encodeConv(geometry, encodeActivation('conv2d', activation)),
  saves: { inputs: [0, 1], outputs: [0] },
  vjp({ inputs, outputs: [y], d, needs, attributes: { geometry, activation } }) {
    const [x, weight] = inputs as [Tensor, Tensor];
    const { dPre, dBias } = activationGrad(d[0] as Tensor, y ?? null, activation, {
      input: needs[0] || needs[1] || needs[3] || false,
      bias: needs[2] ?? false,
    });
    return [
      needs[0] ? conv2dGradInput(dPre as Tensor, weight, geometry) : null,
      needs[1] ? conv2dGradWeight(dPre as Tensor, x, geometry) : null,
      dBias,
      needs[3] ? dPre : null,
    ];
  },
};
/** Without an activation the output is not needed for the gradient. */
const withoutActivation: OpDefinition<Attributes> = {
  ...definition,
  saves: { inputs: [0, 1], outputs: [] },
};

/** The plain convolution of a geometry that was checked before: what the gradients are made of. */
export function conv2dOfGeometry(x: Tensor, weight: Tensor, geometry: EncodedGeometry): Tensor {
  const attributes = { geometry, activation: 'none' } as const;
  return apply(withoutActivation, [x, weight, null, null], attributes)[0] as Tensor;
}

const conv2dRules: Rules<Conv2dOptions> = {
  ...geometryRules,
  activation: anything,
  addend: anything,
};

/**
 * y[n, h, w] = act(Σ_(i,j) x[n, h + dy(i), w + dx(j)] · W_ijᵀ + bias + addend), stride 1, pixels outside of the image zero.
 * Differentiable any number of times.
 *
 * @param x [images·height·width, in]; may be a view of some columns of a wider tensor
 * @param weight [out, kh·kw·in], columns in the order (ky, kx, channel)
 * @param bias [out] or null
 * @returns [images·height·width, out]
 * @throws FlowError SHAPE, DTYPE, ARGUMENT (geometry, unknown activation)
 */
export function conv2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: Conv2dOptions,
): Tensor {
  checkOptions('conv2d', options, conv2dRules);
  const { activation = 'none', addend = null } = options;
  const geometry = encodeGeometry('conv2d', options);
  const op = activation === 'none' ? withoutActivation : definition;
  return apply(op, [x, weight, bias, addend], { geometry, activation })[0] as Tensor;
}

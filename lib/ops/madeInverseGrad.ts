/** The backward pass of madeInverse. */
import { execute, type OutputSpec } from '../tensor/execute';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { activate, encodeActivation } from './activation';
import { activationGrad } from './activationGrad';
import { type AutoregressiveScale, encodeScale } from './autoregressiveAffineGrad';
import type { MadeLayer, MadeNetwork } from './madeInverse';
import { maskedLinear } from './maskedLinear';
import { maskedLinearGradWeight } from './maskedLinearGradWeight';

/** int32 [P·D]: row r of a direct connection sees the inputs below ⌊r/P⌋. */
function directExtents(features: number, each: number): Tensor {
  return tensorOfArray(
    Int32Array.from({ length: each * features }, (_, row) => Math.floor(row / each)),
    [each * features],
  );
}

/** The derivatives of x_j = g(y_j; p_j) at the roots, for a map that made_inverse_grad does not know. */
export interface RootDerivatives {
  /** dx/dp [N, D·P] */
  readonly byParams: Tensor;
  /** dx/dy [N, D] */
  readonly byOutput: Tensor;
  /** The gradient by x, with what reaches it by the log-determinant [N, D]. */
  readonly dx: Tensor;
  /** What reaches the parameters by the log-determinant [N, D·P], or null for zero. */
  readonly dParams: Tensor | null;
}

/** How a dimension follows from its parameters: the affine map, or any other by its derivatives. */
export type RootStep =
  | { readonly scale: AutoregressiveScale }
  | {
      readonly derivatives: (
        x: Tensor,
        params: Tensor,
        dx: Tensor | null,
        dLogDet: Tensor | null,
      ) => RootDerivatives;
    };

/** The activated values of each hidden layer, and params, at x. */
function forward(x: Tensor, network: MadeNetwork, addend: Tensor | null) {
  const { activation, residual = false } = network;
  const hidden: Tensor[] = [];
  let stream: Tensor | null = null;
  for (const [index, { weight, bias, extents }] of network.hiddenLayers.entries()) {
    const input = hidden[index - 1] ?? x;
    if (residual) {
      const added: Tensor | null = index === 0 ? addend : index % 2 === 0 ? stream : null;
      const z: Tensor = maskedLinear(input, weight, bias, { extents, addend: added });
      if (index % 2 === 0) stream = z;
      hidden.push(activate(z, activation));
    } else {
      const added = index === 0 ? addend : null;
      hidden.push(maskedLinear(input, weight, bias, { extents, activation, addend: added }));
    }
  }
  const { weight, bias, extents } = network.output;
  const direct = network.directLayer
    ? maskedLinear(x, network.directLayer.weight, null, {
        extents: directExtents(x.cols, weight.rows / x.cols),
      })
    : null;
  const last = hidden[hidden.length - 1] ?? x;
  const params = maskedLinear(last, weight, bias, { extents, addend: direct });
  return { hidden, params };
}

/** In place of a scale map: see native/ops/made_inverse.cc. */
export const derivativesCode = 16;

/** Gradients of {@link madeInverseGrad}; null where not wanted or absent. */
export interface MadeInverseGradients {
  /** What the network makes of x [N, D·P]. */
  readonly params: Tensor;
  readonly dy: Tensor;
  readonly dAddend: Tensor | null;
  readonly dDirect: Tensor | null;
  /** Of each hidden layer and the output layer. */
  readonly layers: readonly { readonly dWeight: Tensor | null; readonly dBias: Tensor | null }[];
}

/**
 * Backward of madeInverse by x and logDet together: a triangular system through the network, solved from the last
 * dimension on, each hidden unit's gradient finished once; then the weights' gradients as masked products.
 *
 * @param x [N, D], the result of madeInverse
 * @param dx [N, D], or null for zero
 * @param dLogDet [N] float64, or null for zero
 * @param step the map of a dimension
 * @param wants which gradients of parameters are needed: weight and bias of each layer, the direct weight
 */
export function madeInverseGrad(
  x: Tensor,
  network: MadeNetwork,
  addend: Tensor | null,
  dx: Tensor | null,
  dLogDet: Tensor | null,
  step: RootStep,
  wants: { layers: readonly { weight: boolean; bias: boolean }[]; direct: boolean },
): MadeInverseGradients {
  const { hidden, params } = forward(x, network, addend);
  const layers: readonly MadeLayer[] = [...network.hiddenLayers, network.output];
  const specs: OutputSpec[] = [x, params, ...hidden].map(({ shape, dtype }) => ({ shape, dtype }));
  const affine = 'scale' in step;
  const at = affine ? null : step.derivatives(x, params, dx, dLogDet);
  const [dy, dParams, ...dHidden] = execute(
    'made_inverse_grad',
    [
      at?.byOutput ?? x,
      at?.byParams ?? params,
      at?.dx ?? dx,
      at ? at.dParams : dLogDet,
      network.directLayer?.weight ?? null,
      ...layers.flatMap(({ weight, extents }) => [weight, null, extents]),
      ...hidden,
    ],
    specs,
    [
      ...encodeActivation('madeInverse', network.activation),
      ...(affine ? encodeScale('madeInverse', step.scale) : [derivativesCode, 1]),
      network.residual ? 1 : 0,
    ],
  ) as [Tensor, Tensor, ...Tensor[]];
  const sent = [...dHidden, dParams];
  return {
    params,
    dy,
    dAddend: dHidden[0] ?? null,
    dDirect:
      wants.direct && network.directLayer
        ? maskedLinearGradWeight(dParams, x, directExtents(x.cols, params.cols / x.cols))
        : null,
    layers: layers.map(({ extents }, l) => {
      const dz = sent[l] as Tensor;
      const wanted = wants.layers[l];
      return {
        dWeight: wanted?.weight ? maskedLinearGradWeight(dz, hidden[l - 1] ?? x, extents) : null,
        dBias: wanted?.bias
          ? activationGrad(dz, null, 'none', { input: false, bias: true }).dBias
          : null,
      };
    }),
  };
}

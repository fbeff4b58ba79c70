/** The inverse of a masked autoregressive affine map at the price of about one pass. */
import { isTracked, record } from '../autograd/tape';
import { checkArgument, checkOptions, object } from '../options';
import { execute } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { type Activation, encodeActivation } from './activation';
import { type AutoregressiveScale, defaultScale, encodeScale } from './autoregressiveAffineGrad';
import {
  refuseSecondGradient,
  requireFloat,
  requireLayers,
  requireSameDType,
  requireShape,
} from './check';
import { madeInverseGrad, type RootStep } from './madeInverseGrad';
import { requireExtents } from './maskedLinear';
import { neg } from './unary';

/** A masked linear layer as a plain structure; nn's MaskedLinear is one. */
export interface MadeLayer {
  /** [units, inputs] */
  readonly weight: Tensor;
  /** [units] */
  readonly bias: Tensor | null;
  /** int32 [units], non-decreasing: unit u sees the inputs i < extents[u]. */
  readonly extents: Tensor;
}

/** A MADE with P outputs a feature (2 for the affine map), whose units are sorted by degree; nn's Made is one. */
export interface MadeNetwork {
  readonly hiddenLayers: readonly MadeLayer[];
  /** [P·D, H]: the P rows of each feature side by side; (mu_0, raw_0, mu_1, raw_1, …). */
  readonly output: MadeLayer;
  /** [P·D, D] from the inputs to the outputs, without bias: row r sees the inputs below ⌊r/P⌋. */
  readonly directLayer?: { readonly weight: Tensor } | null;
  readonly activation: Activation;
  /** h = layer 0(x); h += layer 2(act(layer 1(act(h)))); …; output(act(h)). */
  readonly residual?: boolean;
}

function checkLayers(where: string, y: Tensor, network: MadeNetwork, each: number): MadeLayer[] {
  checkArgument(where, 'network', network, object);
  requireLayers(where, network.hiddenLayers, 'network.hiddenLayers');
  requireLayers(where, [network.output], 'network.output');
  const layers = [...network.hiddenLayers, network.output];
  let inputs = y.cols;
  for (const [index, layer] of layers.entries()) {
    const what = index < layers.length - 1 ? `hidden layer ${index}` : 'output layer';
    const units = layer.weight.rows;
    requireSameDType(where, `${what}, weight`, layer.weight, y);
    requireShape(
      where,
      `${what}, weight`,
      layer.weight,
      [index < layers.length - 1 ? units : each * y.cols, inputs],
      `each layer takes the units of the one before it; the output has ${each} rows a feature`,
    );
    requireExtents(where, layer.extents, units);
    inputs = units;
  }
  return layers;
}

/**
 * Solves y = (x − mu(x))·exp(−a(x)), of the gate + mu(x), for x, where mu and a come from a MADE: dimension after dimension, each hidden unit
 * computed once, as soon as the inputs that it sees are known (D dimensions for about one forward pass; the plain way
 * takes D passes). The result of a sample does not depend on the other samples of the batch. The gradient, by y, the
 * addend and every parameter, costs about one backward pass; it is fused and cannot be differentiated again.
 *
 * @param y [N, D] in the order of the network's inputs
 * @param network its units sorted by degree
 * @param addend [N, H] added to the first hidden layer before its activation (the part of the context), or null
 * @param options.scale default tanh with bound 1
 * @returns x [N, D], and logDet [N] float64 = log|det ∂x/∂y| = Σ a
 * @throws FlowError SHAPE, DTYPE; NATIVE where the extents are not sorted or not autoregressive
 */
export function madeInverse(
  y: Tensor,
  network: MadeNetwork,
  addend: Tensor | null = null,
  options: { readonly scale?: AutoregressiveScale } = {},
): { x: Tensor; logDet: Tensor } {
  checkOptions('madeInverse', options, { scale: object });
  const { scale = defaultScale } = options;
  const inputs = inverseOperands('madeInverse', y, network, addend, 2);
  const outputs = execute(
    'made_inverse',
    inputs,
    [
      { shape: y.shape, dtype: y.dtype },
      { shape: [y.rows], dtype: 'float64' },
    ],
    [
      ...encodeActivation('madeInverse', network.activation),
      ...encodeScale('madeInverse', scale),
      network.residual ? 1 : 0,
    ],
  );
  const [x, logDet] = outputs as [Tensor, Tensor];
  if (isTracked(inputs)) recordInverse(inputs, x, logDet, network, { scale });
  return { x, logDet };
}

/** The operands of made_inverse, checked. */
export function inverseOperands(
  where: string,
  y: Tensor,
  network: MadeNetwork,
  addend: Tensor | null,
  each: number,
): (Tensor | null)[] {
  requireFloat(where, 'y', y);
  const layers = checkLayers(where, y, network, each);
  return [
    y,
    addend,
    network.directLayer?.weight ?? null,
    ...layers.flatMap(({ weight, bias, extents }) => [weight, bias, extents]),
  ];
}

/** Parameters of the map of a dimension that no network makes. */
export interface OwnParameters {
  readonly parameters: readonly Tensor[];
  /** The gradients of ⟨dy, f(x; p)⟩ + ⟨dLogDet, log f′(x; p)⟩ by them. */
  grad(x: Tensor, params: Tensor, dy: Tensor, dLogDet: Tensor | null): (Tensor | null)[];
}

/** Puts an inverse on the tape. */
export function recordInverse(
  inputs: readonly (Tensor | null)[],
  x: Tensor,
  logDet: Tensor,
  network: MadeNetwork,
  step: RootStep,
  shared: OwnParameters = { parameters: [], grad: () => [] },
): void {
  const present = inputs.map((input) => input !== null);
  const kept = inputs.filter((input) => input !== null);
  const leaves = [...inputs, ...shared.parameters];
  record('madeInverse', leaves, [x, logDet], [x, ...kept], (saved, [dx, dLogDet], needs) => {
    refuseSecondGradient('madeInverse', [...saved, dx ?? null, dLogDet ?? null]);
    let next = 1;
    const own = present.map((is) => (is ? (saved[next++] as Tensor) : null));
    const layers = Array.from({ length: (own.length - 3) / 3 }, (_, l) => ({
      weight: own[3 + 3 * l] as Tensor,
      bias: own[4 + 3 * l] ?? null,
      extents: own[5 + 3 * l] as Tensor,
    }));
    const direct = own[2] ?? null;
    const g = madeInverseGrad(
      saved[0] as Tensor,
      {
        hiddenLayers: layers.slice(0, -1),
        output: layers[layers.length - 1] as MadeLayer,
        directLayer: direct ? { weight: direct } : null,
        activation: network.activation,
        residual: network.residual ?? false,
      },
      own[1] ?? null,
      dx ?? null,
      dLogDet ?? null,
      step,
      {
        layers: layers.map((_, l) => ({
          weight: needs[3 + 3 * l] ?? false,
          bias: needs[4 + 3 * l] ?? false,
        })),
        direct: needs[2] ?? false,
      },
    );
    return [
      g.dy,
      g.dAddend,
      g.dDirect,
      ...g.layers.flatMap(({ dWeight, dBias }) => [dWeight, dBias, null]),
      // As in bijections/implicit.ts: with v = dy, −(∂f/∂θ)ᵀv − dLogDet·∂ log f′/∂θ.
      ...(needs.slice(inputs.length).includes(true)
        ? shared.grad(saved[0] as Tensor, g.params, neg(g.dy), dLogDet ? neg(dLogDet) : null)
        : []),
    ];
  });
}

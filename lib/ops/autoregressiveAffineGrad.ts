/** The scale maps of the affine transformer, and the backward pass of its forward direction. */
import { expected, FlowError } from '../errors';
import type { Tensor } from '../tensor/tensor';
import { requireFloat, requireSameDType, requireShape } from './check';
import { apply, type OpDefinition } from './define';
import { leadingOf } from './matmul';

/**
 * How the log-scale a is made of the raw output of the conditioner:
 * - `tanh`: a = bound·tanh(raw/bound), |a| ≤ bound (bound 1: a = tanh(raw));
 * - `softClamp`: a = raw/(1 + |raw|/bound), |a| < bound, with tails that saturate slowly;
 * - `none`: a = raw, unbounded: exp(±a) overflows float32 beyond |a| = 88;
 * - `additive`: a = 0, volume preserving; raw is ignored;
 * - `gate`: a = −log σ(raw + bias), and mu is what the map turns about: y = s·x + (1 − s)·mu with s = σ(raw + bias), the
 *   gated step of Kingma et al. 2016 (eq. 14). A forget bias of 1 to 2 starts it near the identity. s < 1: it
 *   contracts, and its inverse overflows float32 where raw + bias < −88.
 */
export type AutoregressiveScale =
  | { readonly kind: 'tanh' | 'softClamp'; readonly bound: number }
  | { readonly kind: 'none' | 'additive' }
  | { readonly kind: 'gate'; readonly bias: number };

export const defaultScale: AutoregressiveScale = { kind: 'tanh', bound: 1 };

/** As in native/math/autoregressive_affine.h. */
const codes = { none: 0, tanh: 1, softClamp: 2, additive: 3, gate: 4 } as const;

/** Code and bound (of the gate: bias) of a scale map, as the native ops read them. */
export function encodeScale(where: string, scale: AutoregressiveScale): [number, number] {
  const code = codes[scale.kind];
  if (code === undefined) {
    throw new FlowError(
      'ARGUMENT',
      expected(
        where,
        'scale',
        Object.keys(codes).join(', '),
        String(scale.kind),
        'pass one of them',
      ),
    );
  }
  if (scale.kind === 'gate') {
    const { bias } = scale;
    if (Number.isFinite(bias)) return [code, bias];
    throw new FlowError(
      'ARGUMENT',
      expected(where, 'scale.bias', 'a finite number', `${bias}`, 'the usual one is 1 to 2'),
    );
  }
  const bound = 'bound' in scale ? scale.bound : 1;
  if (!(bound > 0 && bound < Number.POSITIVE_INFINITY)) {
    throw new FlowError(
      'ARGUMENT',
      expected(where, 'scale.bound', 'a positive number', `${bound}`, 'the usual one is 1 to 5'),
    );
  }
  return [code, bound];
}

export interface AffineAttributes {
  readonly scale: AutoregressiveScale;
}

/** The shape rule of both directions: what comes out and its log-determinant. */
export function affineOutputs(where: string, x: Tensor, params: Tensor) {
  requireFloat(where, 'x', x);
  requireSameDType(where, 'params', params, x);
  requireShape(
    where,
    'params',
    params,
    [...leadingOf(x), 2 * x.cols],
    'the conditioner gives (mu, raw) for each dimension, interleaved',
  );
  return [
    { shape: x.shape, dtype: x.dtype },
    { shape: [x.rows], dtype: 'float64' as const },
  ];
}

/** The backward pass of one direction: gradients by its input and by params, from y and both cotangents. */
export function affineGradDefinition(name: string, where: string): OpDefinition<AffineAttributes> {
  return {
    name,
    outputs([params, y]) {
      const { shape, dtype } = y as Tensor;
      return [
        { shape, dtype },
        { shape: (params as Tensor).shape, dtype },
      ];
    },
    encode: ({ scale }) => encodeScale(where, scale),
    saves: { inputs: [], outputs: [] },
    vjp() {
      throw new FlowError(
        'UNSUPPORTED',
        expected(
          where,
          'derivative',
          'the first one of a fused op',
          'a second one',
          'compose the map of exp, mul and sub where second derivatives are needed',
        ),
      );
    },
  };
}

const definition = affineGradDefinition('autoregressive_affine_grad', 'autoregressiveAffine');

/**
 * Backward of autoregressiveAffine by y and logDet together, from its output y.
 *
 * @param params [N, 2·D]
 * @param y [N, D]
 * @param dy [N, D], or null for zero
 * @param dLogDet [N] float64, or null for zero
 * @returns gradients by x [N, D] and by params [N, 2·D]
 */
export function autoregressiveAffineGrad(
  params: Tensor,
  y: Tensor,
  dy: Tensor | null,
  dLogDet: Tensor | null,
  scale: AutoregressiveScale,
): { dx: Tensor; dParams: Tensor } {
  const [dx, dParams] = apply(definition, [params, y, dy, dLogDet], { scale }) as [Tensor, Tensor];
  return { dx, dParams };
}

/** What the two directions of the affine coupling share: scale maps, what is transformed, the shape rule, the backward pass. */
import { expected, FlowError } from '../errors';
import {
  anything,
  checkArgument,
  checkOptions,
  count,
  countOrNone,
  object,
  orNull,
  type Rules,
} from '../options';
import { execute, type OutputSpec } from '../tensor/execute';
import type { Tensor } from '../tensor/tensor';
import { refuseSecondGradient, requireFloat, requireSameDType, requireShape } from './check';
import type { OpDefinition, VjpContext } from './define';
import { leadingOf } from './matmul';

/**
 * How the scale s > 0 is made of the raw output of the conditioner:
 * - `additive`: s = 1, volume preserving (NICE); params are shifts only;
 * - `exp`: s = exp(raw), unbounded: overflows float32 beyond raw = 88;
 * - `tanh`: s = exp(gain·tanh(raw)), within exp(±|gain|), with one learned gain a column (RealNVP), or 1 without;
 * - `sigmoid`: s = σ(raw + 2), within (0, 1): 0.88 at raw = 0 (Glow). Below raw = −89 the inverse overflows float32;
 * - `doubleSigmoid`: s = 2·σ(raw), within (0, 2): 1 at raw = 0 (Jet). Below raw = −87 the inverse overflows float32;
 * - `atan`: s = exp(bound·(2/π)·atan(raw/bound)), within exp(±bound) (FrEIA, whose default bound is 2).
 */
export type CouplingScale =
  | { readonly kind: 'additive' | 'exp' | 'tanh' | 'sigmoid' | 'doubleSigmoid' }
  | { readonly kind: 'atan'; readonly bound: number };

/** As in native/math/affine_coupling.h. */
const codes = { additive: 0, exp: 1, tanh: 2, sigmoid: 3, doubleSigmoid: 4, atan: 5 } as const;

/** Throws ARGUMENT unless it is a scale map. */
export function checkCouplingScale(where: string, scale: CouplingScale): void {
  checkArgument(where, 'scale', scale, object);
  if (!Object.hasOwn(codes, scale.kind)) {
    const names = Object.keys(codes).join(', ');
    throw new FlowError(
      'ARGUMENT',
      expected(where, 'scale', names, String(scale.kind), 'pass one of them'),
    );
  }
  const bound = boundOf(scale);
  if (!(bound > 0 && bound < 1e300)) {
    throw new FlowError(
      'ARGUMENT',
      expected(where, 'scale.bound', 'a positive number', `${bound}`, 'the usual one is 2'),
    );
  }
}

function boundOf(scale: CouplingScale): number {
  return scale.kind === 'atan' ? scale.bound : 1;
}

export interface CouplingOptions {
  /** Default tanh. */
  readonly scale?: CouplingScale;
  /** [c], the learned factor of each column in `tanh`. Default 1. */
  readonly gain?: Tensor | null;
  /** P: rows of a sample. Default 1. */
  readonly positions?: number;
  /** First of the columns that are transformed; params say how many. Default 0. */
  readonly start?: number;
  /**
   * Instead of a range of columns: all columns of the positions (h, w) of an image with h + w even (parity 0) or odd
   * (parity 1). Params then have a row for each position; those of the others are not read.
   */
  readonly checkerboard?: { readonly width: number; readonly parity: 0 | 1 } | null;
}

export interface CouplingAttributes {
  readonly scale: CouplingScale;
  readonly positions: number;
  readonly start: number;
  readonly width: number;
  readonly parity: number;
}

const couplingRules: Rules<CouplingOptions> = {
  scale: object,
  gain: anything,
  positions: count,
  start: countOrNone,
  checkerboard: orNull(object),
};

export function couplingAttributes(where: string, options: CouplingOptions): CouplingAttributes {
  checkOptions(where, options, couplingRules);
  const { scale = { kind: 'tanh' }, positions = 1, start = 0, checkerboard } = options;
  const { width = 0, parity = 0 } = checkerboard ?? {};
  return { scale, positions, start, width, parity };
}

const encode = ({ scale, positions, start, width, parity }: CouplingAttributes) => [
  codes[scale.kind],
  boundOf(scale),
  start,
  positions,
  width,
  parity,
];

/** The shape rule of both directions: what comes out and its log-determinant. */
function couplingOutputs(
  where: string,
  [x, params, gain]: readonly (Tensor | null)[],
  { scale, positions, start, width }: CouplingAttributes,
): OutputSpec[] {
  if (!x || !params) {
    throw new FlowError(
      'ARGUMENT',
      `[${where}] operands: expected x and params, got fewer: pass tensors`,
    );
  }
  checkCouplingScale(where, scale);
  requireFloat(where, 'x', x);
  requireSameDType(where, 'params', params, x);
  const each = scale.kind === 'additive' ? 1 : 2;
  const count = width > 0 ? x.cols : Math.floor(params.cols / each);
  requireShape(
    where,
    'params',
    params,
    [...leadingOf(x), count * each],
    each === 1 ? 'one shift a column' : 'the shifts of all columns, then their raw scales',
  );
  if (!(Number.isInteger(start) && start >= 0 && start + count <= x.cols)) {
    throw new FlowError(
      'SHAPE',
      expected(
        where,
        'columns',
        `${count} of the ${x.cols} columns, as params have them`,
        `those from ${start}`,
        'check start and the outputs of the conditioner',
      ),
    );
  }
  if (!(Number.isInteger(positions) && positions >= 1 && x.rows % positions === 0)) {
    throw new FlowError(
      'SHAPE',
      expected(
        where,
        'positions',
        `a divisor of the ${x.rows} rows`,
        `${positions}`,
        'pass one row a position of each sample',
      ),
    );
  }
  if (!(Number.isInteger(width) && width >= 0) || (width > 0 && positions % width !== 0)) {
    throw new FlowError(
      'SHAPE',
      expected(
        where,
        'checkerboard.width',
        `a divisor of the ${positions} positions`,
        `${width}`,
        'positions are height·width',
      ),
    );
  }
  if (gain) {
    if (scale.kind !== 'tanh') {
      throw new FlowError(
        'ARGUMENT',
        expected(where, 'gain', 'none', `one with ${scale.kind}`, 'only tanh takes a gain'),
      );
    }
    requireSameDType(where, 'gain', gain, x);
    requireShape(where, 'gain', gain, [count], 'one factor a transformed column');
  }
  return [
    { shape: x.shape, dtype: x.dtype },
    { shape: [x.rows / positions], dtype: 'float64' as const },
  ];
}

/**
 * The definition of one direction; its gradient is fused and cannot be differentiated again.
 *
 * @param native name of the native op; that of its gradient ends in _grad
 * @param dataSide where the sample on the side of the data is: among the inputs (forward) or the outputs (inverse)
 */
export function couplingDefinition(
  native: string,
  where: string,
  dataSide: 'input' | 'output',
): OpDefinition<CouplingAttributes> {
  const isForward = dataSide === 'input';
  return {
    name: native,
    outputs: (inputs, attributes) => couplingOutputs(where, inputs, attributes),
    encode,
    saves: { inputs: isForward ? [0, 1, 2] : [1, 2], outputs: isForward ? [] : [0] },
    vjp({ inputs, outputs, d, needs, attributes }: VjpContext<CouplingAttributes>) {
      const [x, params, gain] = (isForward ? inputs : [outputs[0] ?? null, ...inputs]) as readonly [
        Tensor,
        Tensor,
        Tensor | null,
      ];
      const operands = [x, params, gain, d[0] ?? null, d[1] ?? null];
      refuseSecondGradient(where, operands);
      const wanted = [x, params, gain].map((tensor, k) =>
        tensor && needs[k] ? { shape: tensor.shape, dtype: tensor.dtype } : null,
      );
      const made = execute(`${native}_grad`, operands, wanted, encode(attributes));
      let next = 0;
      return wanted.map((spec) => (spec ? (made[next++] as Tensor) : null));
    },
  };
}

/**
 * Sylvester flows: a planar flow of M directions at once. van den Berg, Hasenclever, Tomczak, Welling 2018, "Sylvester
 * Normalizing Flows for Variational Inference".
 */
import { expected, FlowError } from '../errors';
import type { Config } from '../nn/module';
import {
  type AmortizationOptions,
  amortizationConfig,
  amortizationRules,
  normalNumbers,
  ParameterNet,
} from '../nn/parameterNet';
import { register } from '../nn/registry';
import {
  columns,
  concatColumns,
  div,
  full,
  gatherColumns,
  mul,
  reshape,
  square,
  sub,
  sum,
  sylvesterMap,
  sylvesterMapInverse,
  tanh,
} from '../ops';
import { checkOptions, count, flag, picked, type Rules, required, word } from '../options';
import { requireSize } from '../shape';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';

/**
 * What Q is:
 * - `orthogonal`: M orthonormal columns, those of a product of M Householder reflections: every such frame, exactly
 *   orthogonal (the paper's own way, an iteration, is so to a tolerance);
 * - `householder`: a square one, a product of `reflections` reflections;
 * - `triangular`: the identity, or with `reversed` the columns in reverse order, which the flows of a chain take in turns.
 */
export type SylvesterBasis = 'orthogonal' | 'householder' | 'triangular';

export interface SylvesterOptions extends AmortizationOptions {
  /** D. */
  readonly features: number;
  /** Default orthogonal. */
  readonly basis?: SylvesterBasis;
  /** M of an orthogonal basis; default 8 or D, what is less. */
  readonly columns?: number;
  /** Of a Householder basis; default 8, as in the paper. */
  readonly reflections?: number;
  /** Of a triangular one; default false. */
  readonly reversed?: boolean;
}

/** @throws FlowError ARGUMENT for what the basis does not have */
function refuseOthers(basis: SylvesterBasis, options: SylvesterOptions): void {
  const { features, columns = features, reflections, reversed = false } = options;
  const refuse = (what: string, of: SylvesterBasis, given: boolean) => {
    if (!given || basis === of) return;
    throw new FlowError(
      'ARGUMENT',
      expected('Sylvester', what, `none with the basis ${basis}`, 'some', `${of} has them`),
    );
  };
  refuse('columns', 'orthogonal', columns !== features);
  refuse('reflections', 'householder', reflections !== undefined);
  refuse('reversed', 'triangular', reversed);
}

export const sylvesterRules: Rules<SylvesterOptions> = {
  ...amortizationRules,
  features: required(count),
  basis: word('orthogonal', 'householder', 'triangular'),
  columns: count,
  reflections: count,
  reversed: flag,
};

/**
 * y = x + Q·R·tanh(S·Qᵀx + b), R and S upper triangular M × M with diagonals in (−1, 1) by tanh, which makes the map
 * invertible. logDet = Σ log(1 + r_i s_i·tanh'). Forward costs M² beside the products with Q; the inverse finds M roots one
 * after another, which is exact: v = Qᵀx is the solution of a triangular system, and all else of x is that of y.
 * Starts as the identity. With a context every sample has its own Q, R, S and b.
 */
export class Sylvester extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  override readonly fastDirection = 'forward';
  readonly basis: SylvesterBasis;
  /** M. */
  readonly columns: number;
  /** K. */
  readonly reflections: number;
  readonly reversed: boolean;
  /** Of F [M·M], r and s before tanh [M] each, b [M], then the K vectors of the reflections [D] each. */
  readonly parameterNet: ParameterNet;
  readonly #reverse: Tensor | null;

  constructor(options: SylvesterOptions) {
    super();
    checkOptions('Sylvester', options, sylvesterRules);
    const { features, basis = 'orthogonal', reversed = false, seed = 0 } = options;
    requireSize('Sylvester', 'features', features);
    if (basis !== 'orthogonal' && basis !== 'householder' && basis !== 'triangular') {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'Sylvester',
          'basis',
          'orthogonal, householder or triangular',
          String(basis),
          'pass one of them',
        ),
      );
    }
    refuseOthers(basis, options);
    const M = basis === 'orthogonal' ? (options.columns ?? Math.min(8, features)) : features;
    const K = basis === 'orthogonal' ? M : basis === 'householder' ? (options.reflections ?? 8) : 0;
    requireSize('Sylvester', 'columns', M);
    if (basis === 'householder') requireSize('Sylvester', 'reflections', K);
    if (M > features) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'Sylvester',
          'columns',
          `at most ${features}, the features`,
          String(M),
          'there are no more orthogonal directions',
        ),
      );
    }
    this.features = features;
    this.basis = basis;
    this.columns = M;
    this.reflections = K;
    this.reversed = reversed;
    const start = new Float64Array(M * M + 3 * M + K * features);
    // S has a diagonal: R = 0 makes the identity, and moves from there.
    start.fill(0.5, M * M + M, M * M + 2 * M);
    start.set(normalNumbers(K * features, seed, 1), M * M + 3 * M);
    this.parameterNet = this.child(
      'parameters',
      new ParameterNet(start, picked(options, amortizationRules)),
    );
    this.contextFeatures = this.parameterNet.contextFeatures;
    const order = Int32Array.from({ length: features }, (_, k) => features - 1 - k);
    this.#reverse =
      basis === 'triangular' && reversed ? this.own(tensorOfArray(order, [features])) : null;
  }

  /** The parameters of the triangular map, and the vectors of the reflections with 2/‖v‖² of each. */
  #parameters(context: Tensor | null) {
    const { features, columns: M, reflections } = this;
    const all = this.parameterNet.apply(context);
    const [diagonals, shifts, end] = [M * M, M * M + 2 * M, M * M + 3 * M];
    const params = concatColumns([
      columns(all, 0, diagonals),
      tanh(columns(all, diagonals, shifts)),
      columns(all, shifts, end),
    ]);
    const mirrors = Array.from({ length: reflections }, (_, k) => {
      const v = columns(all, end + k * features, end + (k + 1) * features);
      const factor = div(full([], 2, v.dtype), reshape(sum(square(v), -1), [v.rows, 1]));
      return { v, factor };
    });
    return { params, mirrors };
  }

  /** z − 2·v·(vᵀz)/‖v‖², for one mirror after another. */
  #reflect(z: Tensor, mirrors: readonly { v: Tensor; factor: Tensor }[]): Tensor {
    return mirrors.reduce((row, { v, factor }) => {
      const along = mul(reshape(sum(mul(row, v), -1), [row.rows, 1]), factor);
      return sub(row, mul(along, v));
    }, z);
  }

  /** x, of which v = Qᵀx is mapped: x + Q·(map(v) − v). */
  #around<R>(
    x: Tensor,
    mirrors: readonly { v: Tensor; factor: Tensor }[],
    map: (v: Tensor) => R & { out: Tensor },
  ): R & { out: Tensor } {
    const { features, columns: M } = this;
    if (this.basis === 'triangular') {
      const turn = (z: Tensor) => (this.#reverse ? gatherColumns(z, this.#reverse) : z);
      const step = map(turn(x));
      return { ...step, out: turn(step.out) };
    }
    // Q is the first M columns of the product of the reflections: all of x turned, M columns mapped, and turned back.
    const turned = this.#reflect(x, mirrors);
    const step = map(M === features ? turned : columns(turned, 0, M));
    const mapped =
      M === features ? step.out : concatColumns([step.out, columns(turned, M, features)]);
    return { ...step, out: this.#reflect(mapped, [...mirrors].reverse()) };
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    return scope(() => {
      const { params, mirrors } = this.#parameters(context);
      const { out, logDet } = this.#around(x, mirrors, (v) => {
        const { y, logDet } = sylvesterMap(v, params);
        return { out: y, logDet };
      });
      return { y: out, logDet };
    });
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    return scope(() => {
      const { params, mirrors } = this.#parameters(context);
      const { out, logDet, solve } = this.#around(y, mirrors, (z) => {
        const { v, logDet, solve } = sylvesterMapInverse(z, params);
        return { out: v, logDet, solve };
      });
      return { x: out, logDet, solve };
    });
  }

  config(): Config {
    const { features, basis, columns: M, reflections, reversed } = this;
    return {
      kind: 'sylvester',
      features,
      basis,
      ...(basis === 'orthogonal' && { columns: M }),
      ...(basis === 'householder' && { reflections }),
      ...(basis === 'triangular' && { reversed }),
      ...amortizationConfig(this.parameterNet.options),
    };
  }
}

register<SylvesterOptions & Config & { kind: 'sylvester' }>(
  'sylvester',
  (config) => new Sylvester(config),
);

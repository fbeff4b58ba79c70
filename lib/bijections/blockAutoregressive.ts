/**
 * The block autoregressive map of De Cao, Titov, Aziz 2019 ("Block Neural Autoregressive Flow"): one network whose weights are
 * block triangular, with a positive block on the diagonal for each dimension, so that y_i is an increasing function of x_i and any
 * function of x_<i:
 *
 *     W = e^s · v/‖v‖ row by row,   v = exp(Ŵ) on the diagonal blocks, Ŵ below them, 0 above     (their section 3.2)
 *     y = σ(γ)·network(x) + (1 − σ(γ))·x,   tanh between the layers
 *
 * tanh bounds the network, so the gate is no option here: with it the map covers the whole line, and every y has its x. log dy_i/dx_i is
 * a product of the diagonal blocks, in log-sum-exp (eq. 12).
 */
import { withoutTape } from '../autograd/tape';
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { constant, uniformByFanIn } from '../nn/initialization';
import { Linear } from '../nn/linear';
import { type Config, Module, withoutUndefined } from '../nn/module';
import { register } from '../nn/registry';
import {
  add,
  affineScalar,
  blockInverse,
  exp,
  full,
  gatherColumns,
  log,
  logSigmoid,
  logSumExp,
  maskedLinear,
  mul,
  neg,
  RandomStream,
  reshape,
  sigmoid,
  softplus,
  square,
  sub,
  sum,
  tanh,
} from '../ops';
import {
  checkOptions,
  count,
  countOrNone,
  counts,
  dtype,
  type Rules,
  required,
  seed,
} from '../options';
import { requireSize } from '../shape';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';
import { recordImplicit } from './implicit';
import type { Evaluated } from './solveIncreasing';

/** A layer of block triangular weights, from `before` to `units` numbers a feature. */
class BlockLinear extends Module {
  /** Ŵ [D·units, D·before] */
  readonly weight: Tensor;
  /** s [D·units] */
  readonly logScale: Tensor;
  readonly bias: Tensor;
  readonly #extents: Tensor;
  /** 1 on the diagonal blocks; 1 below them. */
  readonly #diagonal: Tensor;
  readonly #below: Tensor;
  /** Where the entries of the diagonal blocks stand in Ŵ, row by row. */
  readonly #places: Tensor;
  /** Which of the D·before numbers each of these entries multiplies. */
  readonly #inputs: Tensor;

  constructor(
    readonly features: number,
    readonly before: number,
    readonly units: number,
    dtype: FloatDType,
    stream: RandomStream,
  ) {
    super();
    const [rows, cols] = [features * units, features * before];
    this.weight = this.parameter('weight', uniformByFanIn(stream, [rows, cols], before, dtype));
    // log of U(0, 1), as their code starts it.
    this.logScale = this.parameter(
      'logScale',
      scope(() => log(affineScalar(stream.uniform([rows], dtype), 0.98, 0.01))),
    );
    this.bias = this.parameter('bias', uniformByFanIn(stream, [rows], cols, dtype));
    const block = (row: number) => Math.floor(row / units);
    const indices = (values: Int32Array) => this.own(tensorOfArray(values, [values.length]));
    this.#extents = indices(Int32Array.from({ length: rows }, (_, r) => (block(r) + 1) * before));
    const mask = (isIn: (block: number, of: number) => boolean) => {
      const values = Float32Array.from({ length: rows * cols }, (_, k) =>
        isIn(block(Math.floor(k / cols)), Math.floor((k % cols) / before)) ? 1 : 0,
      );
      return this.own(
        tensorOfArray(dtype === 'float32' ? values : Float64Array.from(values), [rows, cols]),
      );
    };
    this.#diagonal = mask((r, c) => r === c);
    this.#below = mask((r, c) => c < r);
    const entry = (k: number) => {
      const row = Math.floor(k / before);
      return { row, col: block(row) * before + (k % before) };
    };
    const of = (pick: (at: { row: number; col: number }) => number) =>
      indices(Int32Array.from({ length: rows * before }, (_, k) => pick(entry(k))));
    this.#places = of(({ row, col }) => row * cols + col);
    this.#inputs = of(({ col }) => col);
  }

  /** W, and the logarithms of its diagonal blocks [1, D·units·before]. */
  weights(): { weight: Tensor; logDiagonal: Tensor } {
    const { weight, logScale, before } = this;
    const positive = mul(exp(mul(weight, this.#diagonal)), this.#diagonal);
    const v = add(positive, mul(weight, this.#below));
    const rows = [weight.rows, 1];
    const shift = reshape(sub(logScale, mul(log(sum(square(v), -1)), 0.5)), rows);
    const raw = gatherColumns(reshape(weight, [1, -1]), this.#places);
    const logDiagonal = add(reshape(raw, [weight.rows, before]), shift);
    return { weight: mul(v, exp(shift)), logDiagonal: reshape(logDiagonal, [1, -1]) };
  }

  /** @param logs log dh/dx of the inputs [N, D·before], or null for 0 */
  apply(h: Tensor, logs: Tensor | null, addend: Tensor | null): { z: Tensor; logs: Tensor } {
    const { weight, logDiagonal } = this.weights();
    const z = maskedLinear(h, weight, this.bias, { extents: this.#extents, addend });
    if (logs === null) {
      const row = logSumExp(reshape(logDiagonal, [-1, this.before]), -1);
      return { z, logs: add(full(z.shape, 0, z.dtype), reshape(row, [1, -1])) };
    }
    const terms = add(gatherColumns(logs, this.#inputs), logDiagonal);
    return { z, logs: reshape(logSumExp(reshape(terms, [-1, this.before]), -1), z.shape) };
  }

  config(): Config {
    return { kind: 'blockLinear' };
  }
}

export interface BlockAutoregressiveOptions {
  /** D. */
  readonly features: number;
  /** Hidden units a feature, layer by layer; default [8, 8]. */
  readonly hidden?: readonly number[];
  /** Width of a context that every output may see. Default 0: none. */
  readonly contextFeatures?: number;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

export const blockAutoregressiveRules: Rules<BlockAutoregressiveOptions> = {
  features: required(count),
  hidden: counts,
  contextFeatures: countOrNone,
  seed,
  dtype,
};

/** Forward is one pass; the inverse about one, and the roots of each dimension, in one kernel. */
export class BlockAutoregressive extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  override readonly fastDirection = 'forward';
  readonly dtype: FloatDType;
  /** γ [1]: the network's share is σ(γ). */
  readonly gate: Tensor;
  readonly #layers: readonly BlockLinear[];
  readonly #context: Linear | null;
  readonly #options: BlockAutoregressiveOptions;

  constructor(options: BlockAutoregressiveOptions) {
    super();
    checkOptions('BlockAutoregressive', options, blockAutoregressiveRules);
    const { features, hidden = [8, 8], contextFeatures = 0, seed = 0, dtype = 'float32' } = options;
    requireSize('BlockAutoregressive', 'features', features, 'pass it');
    for (const units of hidden) requireSize('BlockAutoregressive', 'hidden', units, 'pass it');
    if (hidden.length < 1 || hidden.length > 15) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'BlockAutoregressive',
          'hidden',
          '1 to 15 layers',
          `${hidden.length}`,
          'pass [8, 8]',
        ),
      );
    }
    this.#options = options;
    this.features = features;
    this.contextFeatures = contextFeatures;
    this.dtype = dtype;
    const stream = new RandomStream(seed);
    const widths = [1, ...hidden, 1];
    this.#layers = widths.slice(1).map((units, l) => {
      const layer = new BlockLinear(features, widths[l] as number, units, dtype, stream);
      return this.child(`layers.${l}`, layer);
    });
    const first = features * (hidden[0] as number);
    this.#context =
      contextFeatures > 0
        ? this.child('context', new Linear(contextFeatures, first, { bias: false, dtype }, stream))
        : null;
    stream.dispose();
    this.gate = this.parameter('gate', constant([1], 0, dtype));
  }

  /** y and log dy_i/dx_i, [N, D] each. */
  #evaluate(x: Tensor, context: Tensor | null): Evaluated {
    let h = x;
    let logs: Tensor | null = null;
    for (const [l, layer] of this.#layers.entries()) {
      const addend = l === 0 && this.#context && context ? this.#context.apply(context) : null;
      const step: { z: Tensor; logs: Tensor } = layer.apply(h, logs, addend);
      if (l + 1 === this.#layers.length) {
        h = step.z;
        logs = step.logs;
        break;
      }
      h = tanh(step.z);
      // log tanh′(z) = 2·(log 2 − z − softplus(−2z))
      const slope = affineScalar(add(step.z, softplus(mul(step.z, -2))), -2, 2 * Math.LN2);
      logs = add(step.logs, slope);
    }
    const share = sigmoid(this.gate);
    const rest = sigmoid(neg(this.gate));
    const through = add(logs as Tensor, logSigmoid(this.gate));
    const around = logSigmoid(neg(this.gate));
    return {
      y: add(mul(h, share), mul(x, rest)),
      logSlope: add(softplus(sub(through, around)), around),
    };
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    return scope(() => {
      const { y, logSlope } = this.#evaluate(x, context);
      return { y, logDet: sum(logSlope, -1, { dtype: 'float64' }) };
    });
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    return scope(() => {
      const found = withoutTape(() => scope(() => this.#solve(y, context)));
      recordImplicit(
        {
          name: 'blockAutoregressiveInverse',
          parameters: this.parameters(),
          forward: (x, condition) => this.mapForward(x, condition),
          slopes: (x, condition) => withoutTape(() => exp(this.#evaluate(x, condition).logSlope)),
        },
        y,
        context,
        found,
      );
      return found;
    });
  }

  #solve(y: Tensor, context: Tensor | null): Inverse {
    const layers = this.#layers.map((layer) => ({
      weight: layer.weights().weight,
      bias: layer.bias,
    }));
    const addend = this.#context && context ? this.#context.apply(context) : null;
    const { x, logDet, ...solve } = blockInverse(y, layers, this.gate, addend);
    return { x, logDet, solve };
  }

  config(): Config {
    return withoutUndefined({ kind: 'blockAutoregressive', ...this.#options }) as Config;
  }
}

register<BlockAutoregressiveOptions & Config & { kind: 'blockAutoregressive' }>(
  'blockAutoregressive',
  (config) => new BlockAutoregressive(config),
);

/**
 * The unconstrained monotonic network of Wehenkel and Louppe 2019 ("Unconstrained Monotonic Neural Networks", eq. 1 and 6):
 *
 *     f(x; β, h) = β + ∫₀ˣ g(t, h) dt,   g = least + softplus(network(t, h) + log(e − 1)) > 0
 *
 * One network for all dimensions; the conditioner gives β and the embedding h of each. The integral is taken by Clenshaw and
 * Curtis's rule at fixed nodes, exact to rounding for a smooth network of moderate slopes; its first node is x itself, so that f′
 * costs nothing. (The paper's g is ELU + 1: its kink would cost the rule its accuracy.) Beyond ±bound f goes on as its tangent.
 */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { Linear } from '../nn/linear';
import { type Config, withoutUndefined } from '../nn/module';
import { register } from '../nn/registry';
import {
  type Activation,
  add,
  clamp,
  columns,
  fitsUmnn,
  gatherColumns,
  type Integrand,
  log,
  type MadeNetwork,
  madeUmnnInverse,
  mlp,
  mul,
  RandomStream,
  reshape,
  softplus,
  sub,
  sum,
} from '../ops';
import { activationRule } from '../ops/activation';
import { above0, checkOptions, count, counts, dtype, type Rules, seed } from '../options';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import type { Inverse } from './bijection';
import { IterativeTransformer } from './iterativeTransformer';
import { type Bracket, bracketAround, type Evaluated } from './solveIncreasing';

export interface UmnnOptions {
  /** Widths of the hidden layers of the integrand's network; default [50, 50]. */
  readonly hidden?: readonly number[];
  /** E: numbers of each dimension's embedding; default 8. */
  readonly embedding?: number;
  /** Q: the rule has Q + 1 nodes; even, default 24. */
  readonly quadratureSteps?: number;
  /** Smooth; default tanh. */
  readonly activation?: Activation;
  /** Default 10. */
  readonly bound?: number;
  /** The smallest slope; default 1e-3. */
  readonly leastSlope?: number;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

/** Where softplus is 1. */
const unit = Math.log(Math.E - 1);

/** Nodes cos(kπ/Q) and weights on [−1, 1] of the rule of Clenshaw and Curtis (1960), Q even. */
function clenshawCurtis(q: number): { nodes: Float64Array; weights: Float64Array } {
  const nodes = Float64Array.from({ length: q + 1 }, (_, k) => Math.cos((k * Math.PI) / q));
  const weights = nodes.map((_, k) => {
    let total = 1;
    for (let j = 1; j <= q / 2; j++) {
      const b = j === q / 2 ? 1 : 2;
      total -= (b / (4 * j * j - 1)) * Math.cos((2 * j * k * Math.PI) / q);
    }
    return ((k === 0 || k === q ? 1 : 2) / q) * total;
  });
  return { nodes, weights };
}

export const umnnRules: Rules<UmnnOptions> = {
  hidden: counts,
  embedding: count,
  quadratureSteps: count,
  activation: activationRule,
  bound: above0,
  leastSlope: above0,
  seed,
  dtype,
};

export class UmnnTransformer extends IterativeTransformer {
  /** β, then the embedding. */
  override readonly paramsPerFeature: number;
  readonly dtype: FloatDType;
  readonly #options: UmnnOptions;
  readonly #bound: number;
  readonly #least: number;
  readonly #quadratureSteps: number;
  readonly #layers: readonly Linear[];
  readonly #embedding: Linear;
  /** (node + 1)/2 and weight/2, [1, Q + 1] each. */
  readonly #nodes: Tensor;
  readonly #weights: Tensor;
  /** Half the weights of a rule of some of the nodes, for the first guess of a root; null: there are too few. */
  readonly #coarse: Tensor | null;
  /** The first layer's units, Q + 1 times over. */
  readonly #spread: Tensor;

  constructor(options: UmnnOptions = {}) {
    super();
    checkOptions('UmnnTransformer', options, umnnRules);
    const { hidden = [50, 50], embedding = 8, quadratureSteps = 24, activation = 'tanh' } = options;
    const { bound = 10, leastSlope = 1e-3, seed = 0, dtype = 'float32' } = options;
    const whole = (what: string, value: number, least: number, even = false) => {
      if (Number.isSafeInteger(value) && value >= least && !(even && value % 2)) return;
      const wanted = `${even ? 'an even' : 'a whole'} number ≥ ${least}`;
      throw new FlowError(
        'ARGUMENT',
        expected('UmnnTransformer', what, wanted, `${value}`, 'leave it out for the default'),
      );
    };
    whole('hidden layers', hidden.length, 1);
    whole('embedding', embedding, 1);
    whole('quadratureSteps', quadratureSteps, 2, true);
    for (const [k, units] of hidden.entries()) whole(`hidden[${k}]`, units, 1);
    for (const [what, value] of Object.entries({ bound, leastSlope })) {
      if (value > 0 && value < Infinity) continue;
      const remedy = 'leave it out for the default';
      throw new FlowError(
        'ARGUMENT',
        expected('UmnnTransformer', what, 'a finite number above 0', String(value), remedy),
      );
    }
    this.#options = options;
    this.dtype = dtype;
    this.paramsPerFeature = 1 + embedding;
    this.#bound = bound;
    this.#least = leastSlope;
    this.#quadratureSteps = quadratureSteps;
    const stream = new RandomStream(seed);
    const first = hidden[0] as number;
    this.#embedding = this.child(
      'embedding',
      new Linear(embedding, first, { bias: false, dtype }, stream),
    );
    let width = 1;
    const layers = hidden.map((units, k) => {
      const layer = new Linear(width, units, { activation, dtype }, stream);
      width = units;
      return this.child(`hidden.${k}`, layer);
    });
    this.#layers = [...layers, this.child('output', new Linear(width, 1, { dtype }, null))];
    stream.dispose();
    const { nodes, weights } = clenshawCurtis(quadratureSteps);
    const row = (values: Float64Array) =>
      this.own(
        tensorOfArray(dtype === 'float32' ? Float32Array.from(values) : values, [1, values.length]),
      );
    this.#nodes = row(nodes.map((node) => (node + 1) / 2));
    this.#weights = row(weights.map((weight) => weight / 2));
    const few = [8, 6, 4, 2].find((count) => quadratureSteps % count === 0) as number;
    this.#coarse =
      few < quadratureSteps ? row(clenshawCurtis(few).weights.map((weight) => weight / 2)) : null;
    const spread = Int32Array.from({ length: first * (quadratureSteps + 1) }, (_, k) => k % first);
    this.#spread = this.own(tensorOfArray(spread, [spread.length]));
  }

  protected override evaluate(x: Tensor, params: Tensor): Evaluated {
    const numbers = reshape(x, [-1, 1]);
    const each = reshape(params, [numbers.rows, this.paramsPerFeature]);
    const inside = clamp(numbers, -this.#bound, this.#bound);
    const at = reshape(mul(inside, this.#nodes), [-1, 1]);
    const embedded = this.#embedding.apply(columns(each, 1, each.cols));
    const addend = reshape(gatherColumns(embedded, this.#spread), [at.rows, embedded.cols]);
    const activation = this.#options.activation ?? 'tanh';
    const raw = mlp(at, this.#layers, { activation, addend });
    const slopes = add(
      reshape(softplus(add(raw, unit)), [numbers.rows, this.#quadratureSteps + 1]),
      this.#least,
    );
    const mean = reshape(sum(mul(slopes, this.#weights), -1), [-1, 1]);
    const slope = columns(slopes, 0, 1);
    const integral = add(mul(inside, mean), mul(slope, sub(numbers, inside)));
    return {
      y: reshape(add(columns(each, 0, 1), integral), x.shape),
      logSlope: reshape(log(slope), x.shape),
    };
  }

  override inverseOfMade(y: Tensor, made: MadeNetwork, addend: Tensor | null): Inverse | null {
    const integrand = this.#integrand();
    // On a GPU a pass of the network a dimension keeps more of it busy.
    if (y.device === 'cuda' || !fitsUmnn(integrand)) return null;
    const own = this.parameters();
    const { x, logDet, ...solve } = madeUmnnInverse(y, made, addend, integrand, {
      grad: (at, params, dy, dLogDet) => {
        const [dx, dParams] = this.pullBack(at, params, dy, dLogDet, []);
        return { dx: dx as Tensor, dParams: dParams as Tensor };
      },
      own: {
        parameters: own,
        grad: (at, params, dy, dLogDet) => this.pullBack(at, params, dy, dLogDet, own).slice(2),
      },
    });
    return { x, logDet, solve };
  }

  #integrand(): Integrand {
    return {
      embedding: this.#embedding.weight,
      layers: this.#layers.map(({ weight, bias }) => ({ weight, bias })),
      activation: this.#options.activation ?? 'tanh',
      bound: this.#bound,
      leastSlope: this.#least,
      nodes: this.#nodes,
      weights: this.#weights,
      coarse: this.#coarse,
    };
  }

  protected override bracket(y: Tensor, params: Tensor): Bracket {
    const each = reshape(params, [y.size, this.paramsPerFeature]);
    const start = sub(y, reshape(columns(each, 0, 1), y.shape));
    return { ...bracketAround(0, mul(start, 1 / this.#least)), start };
  }

  config(): Config {
    return withoutUndefined({ kind: 'umnnTransformer', ...this.#options }) as Config;
  }
}

register<UmnnOptions & Config & { kind: 'umnnTransformer' }>(
  'umnnTransformer',
  (config) => new UmnnTransformer(config),
);

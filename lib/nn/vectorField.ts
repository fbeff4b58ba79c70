/**
 * Velocities that depend on time: the f of continuous flows, dz/dt = f(z, t). Multilayer perceptrons whose layers see the
 * time, with the Jacobian of f by forward mode. Grathwohl et al. 2019, "FFJORD", section 4 and its code.
 */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import {
  activationSlope,
  add,
  affineScalar,
  linear,
  mul,
  RandomStream,
  reshape,
  sigmoid,
  softplus,
  splitColumns,
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
  word,
} from '../options';
import { formatShape } from '../shape';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { exactTrace, shallowTraceMatrix } from './fieldTrace';
import { uniformByFanIn, zeros } from './initialization';
import { type Config, Module, withoutUndefined } from './module';
import { register } from './registry';

/** swish: z·σ(βz) with a learned β a layer, 1 at the start. */
export type FieldActivation = 'tanh' | 'softplus' | 'elu' | 'swish';

/**
 * How a layer sees the time t. concat: Wx + b + t·u, the time as one more input. concatsquash: (Wx + b)·σ(t·g + h) + t·u.
 */
export type FieldTime = 'concat' | 'concatsquash';

export interface VectorFieldOptions {
  /** D: columns in and out. */
  readonly features: number;
  /** Widths of the hidden layers, one at least; default [64, 64]. With one or two the exact trace is as cheap as one probe. */
  readonly hidden?: readonly number[];
  /** Default concatsquash. */
  readonly time?: FieldTime;
  /** Default tanh. All are smooth: the order of a solver is that of its formula only where f is. */
  readonly activation?: FieldActivation;
  /** Width of a context, which is added in every layer. Default 0: none. */
  readonly contextFeatures?: number;
  readonly seed?: number;
  readonly dtype?: FloatDType;
}

/** f at one moment: a plain network. */
export interface FieldAt {
  /** [H_l, H_(l−1)] of each layer, with what time and activation multiply it by. */
  readonly weights: readonly Tensor[];
  /** [H_l]. */
  readonly biases: readonly Tensor[];
  /** What the context adds to each layer, [N, H_l]; null without. */
  readonly terms: readonly Tensor[] | null;
  /** β of swish by hidden layer. */
  readonly betas: readonly (Tensor | null)[];
  /** See {@link shallowTraceMatrix}. */
  readonly traceMatrix: Tensor | null;
}

/** f and what its Jacobian is made of, at some points. */
export interface FieldLinearization {
  readonly at: FieldAt;
  /** [N, D]: f. */
  readonly out: Tensor;
  /** Slopes of the activations, first hidden layer to last, [N, H_l]. */
  readonly slopes: readonly Tensor[];
}

/** A field with its weights as they are now and one context: what a solve evaluates again and again. */
export interface OpenField {
  /** f at some moments. */
  at(times: readonly number[]): readonly FieldAt[];
}

/** softplus of it is 1. */
const startOfBeta = Math.log(Math.expm1(1));
/** Swish is this times lipSwish. */
const swishFactor = 1.1;

export const vectorFieldRules: Rules<VectorFieldOptions> = {
  features: required(count),
  hidden: counts,
  time: word('concat', 'concatsquash'),
  activation: word('tanh', 'softplus', 'elu', 'swish'),
  contextFeatures: countOrNone,
  seed,
  dtype,
};

export class VectorField extends Module {
  readonly features: number;
  readonly hidden: readonly number[];
  readonly time: FieldTime;
  readonly activation: FieldActivation;
  readonly contextFeatures: number;
  readonly dtype: FloatDType;
  readonly weights: readonly Tensor[];
  /** Of all layers side by side, [Σ H_l]. */
  readonly bias: Tensor;
  /** u: what time adds, [Σ H_l]. */
  readonly timeWeight: Tensor;
  /** g and h of concatsquash, [Σ H_l]; null for concat. */
  readonly gate: { readonly time: Tensor; readonly bias: Tensor } | null;
  /** [Σ H_l, contextFeatures]; null without. */
  readonly contextWeight: Tensor | null;
  readonly #betas: readonly (Tensor | null)[];
  /** Of the layers, last one included. */
  readonly #widths: readonly number[];
  readonly #options: VectorFieldOptions;

  constructor(options: VectorFieldOptions) {
    super();
    checkOptions('VectorField', options, vectorFieldRules);
    const { features, hidden = [64, 64], contextFeatures = 0, seed = 0 } = options;
    const { time = 'concatsquash', activation = 'tanh', dtype = 'float32' } = options;
    check(features, hidden, time, activation, contextFeatures);
    this.#options = structuredClone(options);
    this.features = features;
    this.hidden = hidden;
    this.time = time;
    this.activation = activation;
    this.contextFeatures = contextFeatures;
    this.dtype = dtype;
    this.#widths = [...hidden, features];
    const total = this.#widths.reduce((sum, width) => sum + width, 0);
    const stream = new RandomStream(seed);
    const inputs = [features, ...hidden];
    // The last layer starts at zero, and the flow as the identity.
    this.weights = this.#widths.map((width, l) => {
      const shape = [width, inputs[l] as number];
      const isLast = l === hidden.length;
      const start = isLast ? zeros(shape, dtype) : uniformByFanIn(stream, shape, shape[1]!, dtype);
      return this.parameter(`weight.${l}`, start);
    });
    const hiddenOnly = (name: string, fanIn: number, shape: readonly number[] = [total]) => {
      const values = scope(() => uniformByFanIn(stream, shape, fanIn, dtype).dataSync());
      values.fill(0, values.length - (values.length / total) * features);
      return this.parameter(name, tensorOfArray(values, shape));
    };
    this.bias = hiddenOnly('bias', Math.max(...inputs));
    this.timeWeight = hiddenOnly('time', Math.max(...inputs));
    this.gate =
      time === 'concatsquash'
        ? {
            time: hiddenOnly('gate.time', 1),
            bias: this.parameter('gate.bias', zeros([total], dtype)),
          }
        : null;
    this.contextWeight =
      contextFeatures > 0 ? hiddenOnly('context', contextFeatures, [total, contextFeatures]) : null;
    this.#betas = hidden.map((_, l) => {
      if (activation !== 'swish') return null;
      const start = Float64Array.of(startOfBeta);
      const held = dtype === 'float32' ? Float32Array.from(start) : start;
      return this.parameter(`beta.${l}`, tensorOfArray(held, [1]));
    });
    stream.dispose();
  }

  /** What the activation is as an op. */
  get #smooth() {
    return this.activation === 'swish' ? 'lipSwish' : this.activation;
  }

  /** The factor of swish goes into the weights behind it. */
  #scaled(): Tensor[] {
    const { weights, activation } = this;
    return weights.map((weight, l) =>
      l > 0 && activation === 'swish' ? affineScalar(weight, swishFactor) : weight,
    );
  }

  #terms(context: Tensor | null, samples: number): Tensor | null {
    const { contextWeight, contextFeatures } = this;
    if (contextWeight === null && context === null) return null;
    if (!contextWeight || context?.rows !== samples || context.cols !== contextFeatures) {
      throw new FlowError(
        'SHAPE',
        expected(
          'VectorField',
          'context',
          contextWeight ? `shape [${samples}, ${contextFeatures}]` : 'none',
          context === null ? 'none' : formatShape(context.shape),
          contextWeight ? 'pass one row a sample' : 'build the field with contextFeatures',
        ),
      );
    }
    return linear(context, contextWeight, null);
  }

  /**
   * The field for a solve. On the open tape; its tensors, and those of `at`, belong to the scopes around the calls.
   *
   * @param samples N
   * @param traces whether {@link traceOf} will be asked
   */
  open(context: Tensor | null, samples: number, traces = true): OpenField {
    const widths = this.#widths;
    const weights = this.#scaled();
    const betas = this.#betas.map((beta) => beta && softplus(beta));
    const all = this.#terms(context, samples);
    const terms = all && splitColumns(all, widths);
    const { bias, timeWeight, gate } = this;
    const fixedMatrix = traces && !gate ? shallowTraceMatrix(weights) : null;
    return {
      at: (times) => {
        const moments = tensorOfArray(
          this.dtype === 'float32' ? Float32Array.from(times) : Float64Array.from(times),
          [times.length, 1],
        );
        const gates = gate && sigmoid(add(mul(moments, gate.time), gate.bias));
        const shift = add(mul(moments, timeWeight), gates ? mul(gates, bias) : bias);
        const apart = (rows: Tensor) => {
          const flat = reshape(rows, [1, rows.size]);
          return splitColumns(
            flat,
            times.flatMap(() => widths),
          );
        };
        const biases = apart(shift);
        const factors = gates && apart(gates);
        return times.map((_, t): FieldAt => {
          const part = (of: readonly Tensor[], l: number) => of[t * widths.length + l] as Tensor;
          const own = factors
            ? weights.map((weight, l) => {
                const factor = part(factors, l);
                return mul(weight, reshape(factor, [factor.size, 1]));
              })
            : weights;
          return {
            weights: own,
            biases: widths.map((width, l) => reshape(part(biases, l), [width])),
            terms,
            betas,
            traceMatrix: fixedMatrix ?? (traces ? shallowTraceMatrix(own) : null),
          };
        });
      },
    };
  }

  /** f at rows z [N, D], with the slopes that its Jacobian is made of. */
  linearize(at: FieldAt, z: Tensor): FieldLinearization {
    const { weights, biases, terms, betas } = at;
    const slopes: Tensor[] = [];
    let h = z;
    for (const [l, weight] of weights.entries()) {
      const out = linear(h, weight, biases[l] as Tensor, { addend: terms?.[l] ?? null });
      if (l === weights.length - 1) return { at, out, slopes };
      const { y, slope } = activationSlope(out, this.#smooth, betas[l] ?? null);
      slopes.push(slope);
      h = y;
    }
    throw new Error('[VectorField] no layers');
  }

  /** J·u for u [N, D], J = ∂f/∂z. */
  jvp({ at, slopes }: FieldLinearization, u: Tensor): Tensor {
    return scope(() =>
      at.weights.reduce((t, weight, l) => {
        const slope = slopes[l - 1];
        return linear(slope ? mul(slope, t) : t, weight, null);
      }, u),
    );
  }

  /** tr J, [N] float64. */
  traceOf({ at, slopes }: FieldLinearization): Tensor {
    return exactTrace(at.weights, slopes, at.traceMatrix);
  }

  /**
   * f where each row has a time of its own: what flow matching asks for.
   *
   * @param z [N, D]
   * @param times [N, 1]
   * @returns [N, D]
   */
  apply(z: Tensor, times: Tensor, context: Tensor | null = null): Tensor {
    if (times.rows !== z.rows || times.cols !== 1) {
      throw new FlowError(
        'SHAPE',
        expected(
          'VectorField',
          'times',
          `shape [${z.rows}, 1]`,
          formatShape(times.shape),
          'pass one time a row',
        ),
      );
    }
    return scope(() => {
      const widths = this.#widths;
      const { bias, gate, timeWeight } = this;
      const weights = this.#scaled();
      const term = this.#terms(context, z.rows);
      const gates = gate && sigmoid(add(mul(times, gate.time), gate.bias));
      const shift = add(mul(times, timeWeight), gates ? mul(gates, bias) : bias);
      const shifts = splitColumns(term ? add(shift, term) : shift, widths);
      const factors = gates && splitColumns(gates, widths);
      let h = z;
      for (const [l, weight] of weights.entries()) {
        const addend = shifts[l] as Tensor;
        const factor = factors?.[l];
        h = factor
          ? add(mul(linear(h, weight, null), factor), addend)
          : linear(h, weight, null, { addend });
        if (l === weights.length - 1) break;
        const beta = this.#betas[l];
        h = activationSlope(h, this.#smooth, beta ? softplus(beta) : null).y;
      }
      return h;
    });
  }

  config(): Config {
    return withoutUndefined({
      kind: 'vectorField',
      ...structuredClone(this.#options),
    }) as unknown as Config;
  }
}

function check(
  features: number,
  hidden: readonly number[],
  time: string,
  activation: string,
  contextFeatures: number,
): void {
  const fail = (what: string, wanted: string, got: unknown, remedy: string) => {
    throw new FlowError('ARGUMENT', expected('VectorField', what, wanted, String(got), remedy));
  };
  const whole = (n: number, least = 1) => Number.isSafeInteger(n) && n >= least;
  if (!whole(features)) fail('features', 'a whole number ≥ 1', features, 'pass the columns');
  if (hidden.length === 0 || hidden.length > 16 || !hidden.every((width) => whole(width)))
    fail('hidden', '1 to 16 whole numbers ≥ 1', `[${hidden.join(', ')}]`, 'for instance [64, 64]');
  if (!whole(contextFeatures, 0))
    fail('contextFeatures', 'a whole number ≥ 0', contextFeatures, 'correct it');
  const kinds = ['concat', 'concatsquash'];
  if (!kinds.includes(time)) fail('time', kinds.join(' or '), time, 'pass one of these');
  const smooth = ['tanh', 'softplus', 'elu', 'swish'];
  if (!smooth.includes(activation))
    fail('activation', smooth.join(', '), activation, 'pass one of these names');
}

register<VectorFieldOptions & Config & { readonly kind: 'vectorField' }>(
  'vectorField',
  (config) => new VectorField(config),
);

/**
 * Continuous flows: the solution of dz/dt = f(z, t), whose log-density changes by −tr ∂f/∂z. Chen et al. 2018, "Neural Ordinary
 * Differential Equations", theorem 1; Grathwohl et al. 2019, "FFJORD".
 */
import { withoutTape } from '../autograd/tape';
import { expected, FlowError } from '../errors';
import type { Config, Json } from '../nn/module';
import { build, register } from '../nn/registry';
import { type FieldAt, VectorField } from '../nn/vectorField';
import {
  add,
  affineScalar,
  cast,
  greaterEqual,
  mul,
  neg,
  RandomStream,
  rowsView,
  square,
  sub,
  sum,
} from '../ops';
import { requireTensor } from '../ops/check';
import {
  anything,
  checkArgument,
  checkOptions,
  finite,
  list,
  object,
  one,
  type Rules,
  required,
  seed,
  word,
} from '../options';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { activations } from './activations';
import { Bijection, type Forward, type Inverse } from './bijection';
import type { Probes } from './logDetEstimator';
import {
  checkSolver,
  type OdeGradient,
  type OdeOperands,
  type OdeSolver,
  type OdeSystem,
  solveOde,
} from './odeSolve';
import type { Rates, RatesAt } from './rungeKutta';
import { type SolveReport, solved } from './solve';

/**
 * How tr ∂f/∂z is computed. exact: with one or two hidden layers as cheap as one probe, with more D tangents. hutchinson: vᵀJv,
 * v the same all along a solve; no bias.
 */
export type TraceEstimator =
  | { readonly kind: 'exact' }
  | {
      readonly kind: 'hutchinson';
      /** Default rademacher. */
      readonly probes?: Probes;
      /** Probes of each sample, averaged; default 1. */
      readonly samples?: number;
    };

/** Weights of ∫‖f‖² dt and of ∫‖∂f/∂z‖² dt (Frobenius, by a probe). Finlay et al. 2020, "How to Train Your Neural ODE". */
export interface FieldRegularization {
  readonly kinetic?: number;
  readonly jacobian?: number;
}

export interface ContinuousFlowOptions {
  readonly field: VectorField;
  /** T: noise is at t = 0, data at T. Default 1. */
  readonly endTime?: number;
  /** In training. Default { method: 'rk4', steps: 8 }. */
  readonly training?: OdeSolver;
  /** And out of it. Default { method: 'dopri5' }. */
  readonly use?: OdeSolver;
  /** Default direct. */
  readonly gradient?: OdeGradient;
  /** Default: exact with at most two hidden layers or 4 features, else one probe. */
  readonly trainingTrace?: TraceEstimator;
  /** Default: exact with at most two hidden layers or 64 features, else one probe; probes follow from `seed` alone. */
  readonly useTrace?: TraceEstimator;
  /**
   * In training what it weighs is subtracted from logDet, in nats of the row: the loss of `fit` is −log p plus the penalty.
   * Default none.
   */
  readonly regularization?: FieldRegularization;
  /** Of probes. */
  readonly seed?: number;
}

export const continuousFlowRules: Rules<ContinuousFlowOptions> = {
  field: required(one('a VectorField', () => VectorField)),
  endTime: finite,
  training: object,
  use: object,
  gradient: anything,
  trainingTrace: object,
  useTrace: object,
  regularization: object,
  seed,
};

/**
 * Both directions are a solve, one backwards in time. They undo each other, and logDet is that of the map, to the accuracy of the
 * solver: about rtol with dopri5, of order (T/steps)⁴ with rk4. With dopri5 the report counts evaluations, and has the largest
 * error of a step in units of the tolerance; a field that it does not come through is an error.
 */
export class ContinuousFlow extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  readonly field: VectorField;
  readonly endTime: number;
  readonly solvers: { readonly training: OdeSolver; readonly use: OdeSolver };
  readonly gradient: OdeGradient;
  readonly traces: { readonly training: TraceEstimator; readonly use: TraceEstimator };
  readonly regularization: FieldRegularization;
  readonly seed: number;
  readonly #stream: RandomStream;
  #evaluations = 0;

  constructor(options: ContinuousFlowOptions) {
    super();
    checkOptions('ContinuousFlow', options, continuousFlowRules);
    const { field, endTime = 1, gradient = 'direct', regularization = {}, seed = 0 } = options;
    const { training = { method: 'rk4' }, use = { method: 'dopri5' } } = options;
    const { features } = field;
    const estimator = (most: number): TraceEstimator =>
      field.hidden.length <= 2 || features <= most ? { kind: 'exact' } : { kind: 'hutchinson' };
    const { trainingTrace = estimator(4), useTrace = estimator(64) } = options;
    checkSolver('ContinuousFlow', 'training', training);
    checkSolver('ContinuousFlow', 'use', use);
    check({ endTime, gradient, regularization, traces: { trainingTrace, useTrace } });
    this.features = features;
    this.contextFeatures = field.contextFeatures;
    this.endTime = endTime;
    this.solvers = { training, use };
    this.gradient = gradient;
    this.traces = { training: trainingTrace, use: useTrace };
    this.regularization = regularization;
    this.seed = seed;
    this.field = this.child('field', field);
    // Apart from the field's numbers, where both have one seed.
    this.#stream = new RandomStream(seed + 32452843);
    this.state('random', this.#stream.state);
  }

  /** Evaluations of the field in the latest call. */
  get evaluations(): number {
    return this.#evaluations;
  }

  /** False: the inverse is good to the solver's accuracy only. */
  override get rebuildable(): boolean {
    return false;
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    const { out, logDet, solve } = this.#solve(x, context, [this.endTime, 0]);
    return { y: out, logDet, ...solved(solve) };
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    const { out, logDet, solve } = this.#solve(y, context, [0, this.endTime]);
    return { x: out, logDet, ...solved(solve) };
  }

  /**
   * Where rows are on their way: z at some times, from t = 0 or from T. Not differentiated.
   *
   * @param rows [N, D]
   * @param times between 0 and T, in the order of the way
   * @returns [N, D] for each time
   */
  path(
    rows: Tensor,
    times: readonly number[],
    context: Tensor | null = null,
    from: 'noise' | 'data' = 'noise',
  ): Tensor[] {
    requireTensor('path', 'rows', rows);
    if (context !== null) requireTensor('path', 'context', context);
    checkArgument('path', 'times', times, list);
    checkArgument('path', 'from', from, word('noise', 'data'));
    return withoutTape(() =>
      scope(() => {
        const system = this.#system(null, false);
        let t = from === 'noise' ? 0 : this.endTime;
        let z = rows;
        return times.map((time) => {
          if (time !== t) {
            const { solvers } = this;
            const operands = { context, probe: null };
            z = solveOde(system, z, operands, [t, time], solvers.use, 'direct').state[0] as Tensor;
            t = time;
          }
          return z === rows ? affineScalar(z, 1) : z;
        });
      }),
    );
  }

  #solve(
    start: Tensor,
    context: Tensor | null,
    span: readonly [number, number],
  ): { out: Tensor; logDet: Tensor; solve?: SolveReport | undefined } {
    return scope(() => {
      const trace = this.training ? this.traces.training : this.traces.use;
      const solver = this.training ? this.solvers.training : this.solvers.use;
      const penalized = this.training && this.#isRegularized;
      const probe = withoutTape(() => this.#probe(trace, start, penalized));
      const system = this.#system(trace, penalized);
      const operands: OdeOperands = { context, probe };
      const gradient =
        this.gradient === 'direct' && activations().memory !== 'taped'
          ? 'checkpoints'
          : this.gradient;
      const { state, evaluations, solve } = solveOde(
        system,
        start,
        operands,
        span,
        solver,
        gradient,
      );
      this.#evaluations = evaluations;
      const [out, traces, penalty] = state as [Tensor, Tensor, Tensor?];
      // Backwards in time ∫ dt is negative.
      const logDet = penalty ? sub(traces, span[1] > span[0] ? penalty : neg(penalty)) : traces;
      return { out, logDet, solve };
    });
  }

  get #isRegularized(): boolean {
    const { kinetic = 0, jacobian = 0 } = this.regularization;
    return kinetic > 0 || jacobian > 0;
  }

  /** Probes of the solve below each other, [samples·N, D]; the first of them is that of the Jacobian's norm. */
  #probe(trace: TraceEstimator, start: Tensor, penalized: boolean): Tensor | null {
    const wanted = trace.kind === 'hutchinson' ? (trace.samples ?? 1) : 0;
    const count = penalized && this.regularization.jacobian ? Math.max(1, wanted) : wanted;
    if (count === 0) return null;
    const { features } = this;
    const dtype = this.field.dtype;
    // Outside of training the numbers are the same at each call: a function of the model and the place in the batch.
    const stream = this.training ? this.#stream : new RandomStream(this.seed + 1);
    try {
      const shape = [count * start.rows, features];
      if (trace.kind === 'hutchinson' && trace.probes === 'normal')
        return stream.normal(shape, dtype);
      return affineScalar(greaterEqual(stream.uniform(shape, dtype), 0.5), 2, -1);
    } finally {
      if (stream !== this.#stream) stream.dispose();
    }
  }

  /** @param trace null: z only */
  #system(trace: TraceEstimator | null, penalized: boolean): OdeSystem {
    const { field } = this;
    return {
      name: 'ContinuousFlow',
      parameters: field.parameters(),
      quadratures: (trace ? 1 : 0) + (penalized ? 1 : 0),
      controlled: trace ? 1 : 0,
      rates: (context, probe, samples): RatesAt => {
        const open = field.open(context, samples, trace?.kind === 'exact');
        return (times) =>
          open.at(times).map(
            (at): Rates =>
              (z) =>
                this.#rates(at, z, trace, penalized, probe),
          );
      },
    };
  }

  /** dz/dt, the trace, and what is weighed. */
  #rates(
    at: FieldAt,
    z: Tensor,
    trace: TraceEstimator | null,
    penalized: boolean,
    probe: Tensor | null,
  ): readonly Tensor[] {
    return scope(() => {
      const { field } = this;
      const here = field.linearize(at, z);
      const { out } = here;
      if (!trace) return [out];
      const probes = probe
        ? Array.from({ length: probe.rows / z.rows }, (_, k) =>
            rowsView(probe, k * z.rows, (k + 1) * z.rows),
          )
        : [];
      const products = probes.map((v) => field.jvp(here, v));
      const rates = [
        out,
        trace.kind === 'exact' ? field.traceOf(here) : hutchinson(probes, products),
      ];
      if (!penalized) return rates;
      const { kinetic = 0, jacobian = 0 } = this.regularization;
      const size = (of: Tensor, weight: number) =>
        affineScalar(sum(square(of), -1, { dtype: 'float64' }), weight);
      const parts: Tensor[] = [];
      if (kinetic > 0) parts.push(size(out, kinetic));
      if (jacobian > 0) parts.push(size(products[0] as Tensor, jacobian));
      return [...rates, cast(parts.reduce(add), 'float64')];
    });
  }

  config(): Config {
    const json = (value: object) => JSON.parse(JSON.stringify(value)) as Json;
    return {
      kind: 'continuousFlow',
      field: this.field.config(),
      endTime: this.endTime,
      training: json(this.solvers.training),
      use: json(this.solvers.use),
      gradient: this.gradient,
      trainingTrace: json(this.traces.training),
      useTrace: json(this.traces.use),
      regularization: json(this.regularization),
      seed: this.seed,
    };
  }
}

/** The mean of vᵀJv over the probes. */
function hutchinson(probes: readonly Tensor[], products: readonly Tensor[]): Tensor {
  const terms = probes.map((v, k) => sum(mul(v, products[k] as Tensor), -1, { dtype: 'float64' }));
  const total = terms.reduce(add);
  return terms.length === 1 ? total : affineScalar(total, 1 / terms.length);
}

interface Checked {
  readonly endTime: number;
  readonly gradient: string;
  readonly regularization: FieldRegularization;
  readonly traces: Readonly<Record<string, TraceEstimator>>;
}

function check({ endTime, gradient, regularization, traces }: Checked): void {
  const fail = (what: string, wanted: string, got: unknown, remedy: string) => {
    throw new FlowError('ARGUMENT', expected('ContinuousFlow', what, wanted, String(got), remedy));
  };
  if (!(endTime > 0 && Number.isFinite(endTime)))
    fail('endTime', 'a number above 0', endTime, 'default: 1');
  const kinds = ['direct', 'checkpoints', 'adjoint'];
  if (!kinds.includes(gradient)) fail('gradient', kinds.join(', '), gradient, 'pass one of these');
  for (const [name, weight = 0] of Object.entries(regularization))
    if (!(weight >= 0 && Number.isFinite(weight)))
      fail(`regularization.${name}`, 'a number ≥ 0', weight, 'leave it out for none');
  for (const [what, trace] of Object.entries(traces)) {
    if (trace.kind === 'exact') continue;
    if (trace.kind !== 'hutchinson')
      fail(what, 'exact or hutchinson', (trace as { kind: unknown }).kind, 'pass one of these');
    const { samples = 1, probes = 'rademacher' } = trace;
    if (!(Number.isSafeInteger(samples) && samples >= 1 && samples <= 1000))
      fail(`${what}.samples`, 'a whole number from 1 to 1000', samples, 'correct it');
    if (probes !== 'rademacher' && probes !== 'normal')
      fail(`${what}.probes`, 'rademacher or normal', probes, 'pass one of these');
  }
}

type Saved = Omit<ContinuousFlowOptions, 'field'> & { field: Config };

register<Saved & Config & { kind: 'continuousFlow' }>('continuousFlow', (config) => {
  const field = build(config.field);
  if (!(field instanceof VectorField)) {
    throw new FlowError(
      'FORMAT',
      expected(
        'ContinuousFlow',
        'field',
        'a vectorField',
        config.field.kind,
        'the file is damaged',
      ),
    );
  }
  return new ContinuousFlow({ ...config, field });
});

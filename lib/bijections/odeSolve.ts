/**
 * Solutions of dy/dt = f(y, t; θ) with quadratures, and their gradients: through the solver, again from each step, or by the
 * adjoint equation. Chen et al. 2018, "Neural Ordinary Differential Equations", appendix B; docs/maths.md.
 */
import { pullback } from '../autograd/gradient';
import { isTracked, record, withoutTape } from '../autograd/tape';
import { expected, FlowError } from '../errors';
import {
  add,
  affineScalar,
  clone,
  columns,
  concatColumns,
  full,
  max,
  neg,
  splitColumns,
  square,
  zeros,
} from '../ops';
import { refuseSecondGradient } from '../ops/check';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { type AdaptiveOptions, checkAdaptive, integrateAdaptive } from './adaptiveSolver';
import {
  dopri5,
  euler,
  integrateFixed,
  midpoint,
  type RatesAt,
  rk4,
  stepOf,
  type Tableau,
} from './rungeKutta';
import type { SolveReport } from './solve';

/**
 * - rk4, midpoint, euler: `steps` steps of one size: constant work, which can be recorded.
 * - dopri5: Dormand–Prince 5(4), steps by the error. Runs op by op.
 */
export type OdeSolver =
  | {
      readonly method: 'rk4' | 'midpoint' | 'euler';
      /** Default 8. */
      readonly steps?: number;
    }
  | (AdaptiveOptions & { readonly method: 'dopri5' });

/**
 * - direct: that of what the solver computes, exactly; everything is kept.
 * - checkpoints: the same gradient; what is kept is the state at each step, and the step is computed again. So does dopri5 in
 *   either case.
 * - adjoint: that of the solution, to the solver's tolerance: a second equation is solved backwards, and nothing is kept.
 */
export type OdeGradient = 'direct' | 'checkpoints' | 'adjoint';

const tableaus: Record<Exclude<OdeSolver['method'], 'dopri5'>, Tableau> = { rk4, midpoint, euler };

/** @throws FlowError ARGUMENT */
export function checkSolver(where: string, what: string, solver: OdeSolver): void {
  const fail = (name: string, wanted: string, got: unknown) => {
    throw new FlowError(
      'ARGUMENT',
      expected(where, `${what}.${name}`, wanted, String(got), 'correct it'),
    );
  };
  if (solver.method === 'dopri5') {
    checkAdaptive(where, what, solver);
    return;
  }
  if (!Object.hasOwn(tableaus, solver.method))
    fail('method', 'rk4, midpoint, euler or dopri5', solver.method);
  const { steps = 8 } = solver;
  if (!(Number.isSafeInteger(steps) && steps >= 1 && steps <= 10_000))
    fail('steps', 'a whole number from 1 to 10000', steps);
}

/** What is solved. */
export interface OdeSystem {
  readonly name: string;
  /** θ: everything trained that the rates depend on. */
  readonly parameters: readonly Tensor[];
  /** How many numbers of the rows are integrated beside y. */
  readonly quadratures: number;
  /** How many of these, the first ones, the error of a step counts. */
  readonly controlled: number;
  /** The rates: of y [N, D], then of each quadrature [N] float64; on the open tape. */
  rates(context: Tensor | null, probe: Tensor | null, samples: number): RatesAt;
}

/** What goes in beside y. */
export interface OdeOperands {
  readonly context: Tensor | null;
  /** Random numbers that one solve has all along; not differentiated. */
  readonly probe: Tensor | null;
}

export interface OdeSolution {
  /** y at the end, then the quadratures. */
  readonly state: readonly Tensor[];
  readonly evaluations: number;
  readonly solve?: SolveReport;
}

type Span = readonly [number, number];

/** Solves over the span, on the open tape. @throws FlowError NUMERIC where an adaptive solver does not come through */
export function solveOde(
  system: OdeSystem,
  start: Tensor,
  operands: OdeOperands,
  span: Span,
  solver: OdeSolver,
  gradient: OdeGradient,
): OdeSolution {
  const { context, probe } = operands;
  const inputs = [start, context, ...system.parameters];
  const tracked = isTracked(inputs);
  if (solver.method !== 'dopri5' && (gradient === 'direct' || !tracked)) {
    const tableau = tableaus[solver.method];
    const { steps = 8 } = solver;
    const at = system.rates(context, probe, start.rows);
    const state = integrateFixed(tableau, at, span, steps, start);
    return { state, evaluations: steps * tableau.c.length };
  }
  return scope(() => {
    const states: Tensor[] = [];
    const keeps = tracked && gradient !== 'adjoint';
    const onStep = keeps ? (y: Tensor) => states.push(y.alias()) : undefined;
    const { steps, ...found } = withoutTape(() =>
      forward(system, start, operands, span, solver, onStep),
    );
    if (!tracked) return found;
    const kept = [
      ...(context ? [context] : []),
      ...(probe ? [probe] : []),
      ...(keeps ? states : [found.state[0] as Tensor]),
    ];
    record(system.name, inputs, found.state, kept, (saved, d) =>
      scope(() => {
        refuseSecondGradient(system.name, [...saved, ...d, ...system.parameters]);
        const own = {
          context: context ? (saved[0] as Tensor) : null,
          probe: probe ? (saved[context ? 1 : 0] as Tensor) : null,
        };
        const rest = saved.slice((context ? 1 : 0) + (probe ? 1 : 0));
        const tableau = solver.method === 'dopri5' ? dopri5 : tableaus[solver.method];
        return keeps
          ? throughSteps(system, tableau, rest, steps, own, d)
          : adjoint(system, rest[0] as Tensor, own, d, span, solver);
      }),
    );
    for (const state of states) state.dispose();
    return found;
  });
}

function forward(
  system: OdeSystem,
  start: Tensor,
  { context, probe }: OdeOperands,
  span: Span,
  solver: OdeSolver,
  onStep: ((y: Tensor) => void) | undefined,
): OdeSolution & { readonly steps: readonly { t: number; h: number }[] } {
  return scope(() => {
    const at = system.rates(context, probe, start.rows);
    if (solver.method !== 'dopri5') {
      const tableau = tableaus[solver.method];
      const { steps: count = 8 } = solver;
      const steps: { t: number; h: number }[] = [];
      const state = integrateFixed(tableau, at, span, count, start, (t, h, y) => {
        steps.push({ t, h });
        onStep?.(y);
      });
      return { state, steps, evaluations: count * tableau.c.length };
    }
    const none = Array.from({ length: system.quadratures }, () => zeros([start.rows], 'float64'));
    const { state, steps, evaluations, errors } = integrateAdaptive(
      {
        where: system.name,
        at,
        span,
        start: [start, ...none],
        controlled: system.controlled,
        ...(onStep && { onStep }),
      },
      solver,
    );
    const converged = Int32Array.from(errors, (error) => (error <= 1 ? 1 : 0));
    const solve = {
      iterations: full([start.rows], evaluations, 'int32'),
      residual: tensorOfArray(errors, [start.rows]),
      converged: tensorOfArray(converged, [start.rows]),
    };
    return { state, steps, evaluations, solve };
  });
}

/** Gradients by y, context and θ that add up. */
class Sums {
  readonly #sums: (Tensor | null)[];

  constructor(count: number) {
    this.#sums = Array.from({ length: count }, () => null);
  }

  add(gradients: readonly (Tensor | null)[]): void {
    for (const [k, gradient] of gradients.entries()) {
      if (!gradient) continue;
      const before = this.#sums[k];
      this.#sums[k] = before ? add(before, gradient) : gradient;
      if (before) for (const tensor of [before, gradient]) tensor.dispose();
    }
  }

  get all(): (Tensor | null)[] {
    return this.#sums;
  }
}

/** Step by step from the last one, each computed again from its start. */
function throughSteps(
  system: OdeSystem,
  tableau: Tableau,
  states: readonly Tensor[],
  steps: readonly { t: number; h: number }[],
  { context, probe }: OdeOperands,
  [dEnd, ...dQuadratures]: readonly (Tensor | null)[],
): (Tensor | null)[] {
  const { parameters } = system;
  const sums = new Sums(parameters.length + 1);
  let dy = dEnd ?? null;
  for (let k = steps.length - 1; k >= 0; k--) {
    const { t, h } = steps[k] as { t: number; h: number };
    const state = states[k] as Tensor;
    const from = dy;
    const { gradients } = pullback(
      (watch) => {
        const y = state.view(state.shape, state.offset, state.rowStride);
        for (const leaf of [y, context, ...parameters]) if (leaf) watch(leaf);
        const at = system.rates(context, probe, y.rows);
        const by = [y, ...parameters, ...(context ? [context] : [])];
        return { outputs: stepOf(tableau, at, t, h, y), by };
      },
      [from, ...dQuadratures],
    );
    dy = gradients[0] ?? null;
    if (from !== dEnd) from?.dispose();
    sums.add(gradients.slice(1));
  }
  const byContext = context ? (sums.all[parameters.length] ?? null) : null;
  return [dy, byContext, ...sums.all.slice(0, parameters.length)];
}

/**
 * a = ∂L/∂y: da/dt = −aᵀ∂f/∂y − Σ_q d_q·∂r_q/∂y beside y itself, from the end to the start, and dL/dθ = ∫ aᵀ∂f/∂θ + Σ_q d_q·∂r_q/∂θ
 * as a quadrature. The error of a step counts y and a, not the quadratures, which nothing depends on (Kidger et al. 2021, "Hey,
 * that's not an ODE").
 */
function adjoint(
  system: OdeSystem,
  end: Tensor,
  { context, probe }: OdeOperands,
  [dEnd, ...dQuadratures]: readonly (Tensor | null)[],
  [from, to]: Span,
  solver: OdeSolver,
): (Tensor | null)[] {
  const { parameters } = system;
  const leaves = [...parameters, ...(context ? [context] : [])];
  const features = end.cols;
  const rowsOf = (y: Tensor) => splitColumns(y, [features, features]) as [Tensor, Tensor];
  const isAdaptive = solver.method === 'dopri5';
  const dy = dEnd ?? zeros(end.shape, end.dtype as 'float32');
  // The equation is linear in a: in units of the gradients themselves the tolerance says something.
  const unit = isAdaptive ? largest([dy, ...dQuadratures]) : 1;
  if (unit === 0) return [dy, ...leaves.map(() => null)];
  const scaled = dQuadratures.map((d) => d && affineScalar(d, 1 / unit));
  const at: RatesAt = (times) =>
    times.map((t) => (y) => {
      const [z, a] = rowsOf(y);
      const { by, gradients } = pullback(
        (watch) => {
          const here = clone(z);
          for (const leaf of [here, ...leaves]) watch(leaf);
          const outputs = (system.rates(context, probe, here.rows)([t])[0] as RatesOf)(here);
          return { outputs, by: [here, ...leaves, outputs[0] as Tensor] };
        },
        [a, ...scaled],
      );
      const f = by.at(-1) as Tensor;
      const [byZ, ...rest] = gradients.slice(0, -1);
      const still = byZ ? neg(byZ) : zeros(z.shape, z.dtype as 'float32');
      return [
        concatColumns([f, still]),
        ...leaves.map((leaf, k) => {
          const gradient = rest[k];
          return gradient ? neg(gradient) : zeros(leaf.shape, leaf.dtype as 'float32');
        }),
      ];
    });
  const start = [
    concatColumns([end, affineScalar(dy, 1 / unit)]),
    ...leaves.map((leaf) => zeros(leaf.shape, leaf.dtype as 'float32')),
  ];
  let state: readonly Tensor[] = start;
  if (solver.method === 'dopri5') {
    const problem = { where: `${system.name}, adjoint`, at, span: [to, from] as Span, start };
    state = integrateAdaptive({ ...problem, controlled: 0 }, solver).state;
  } else {
    const { steps = 8 } = solver;
    const h = (from - to) / steps;
    for (let k = 0; k < steps; k++) {
      const before = state;
      state = scope(() => {
        const [y, ...more] = stepOf(
          tableaus[solver.method],
          at,
          to + k * h,
          h,
          before[0] as Tensor,
        );
        return [y as Tensor, ...more.map((part, q) => add(before[q + 1] as Tensor, part))];
      });
      if (before !== start) for (const tensor of before) tensor.dispose();
    }
  }
  const back = (tensor: Tensor) => (unit === 1 ? tensor : affineScalar(tensor, unit));
  const dStart = columns(state[0] as Tensor, features, 2 * features);
  const byLeaf = state.slice(1).map(back);
  const byContext = context ? (byLeaf.pop() ?? null) : null;
  return [unit === 1 ? clone(dStart) : back(dStart), byContext, ...byLeaf];
}

type RatesOf = (y: Tensor) => readonly Tensor[];

/** The largest magnitude among some gradients; 1 where it is not finite. */
function largest(gradients: readonly (Tensor | null)[]): number {
  return scope(() => {
    let most = 0;
    for (const gradient of gradients)
      if (gradient && gradient.size > 0)
        most = Math.max(most, Math.sqrt(max(square(gradient)).item()));
    return Number.isFinite(most) ? most : 1;
  });
}

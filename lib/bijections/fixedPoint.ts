/**
 * Fixed points of contractions, row by row, with Anderson acceleration (Anderson 1965; Walker and Ni 2011, "Anderson
 * Acceleration for Fixed-Point Iterations", the unconstrained form of section 2).
 *
 * An accelerated step counts where it makes the residual smaller; where it does not, the row goes on from its best point
 * by a plain step, which for a contraction always does. So it converges wherever the plain iteration does, at half its
 * speed at worst. A row does not depend on its neighbours: what has converged is left alone.
 */
import { withoutTape } from '../autograd/tape';
import { epsilonOf, type FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import {
  add,
  batchInverse,
  cast,
  concatColumns,
  div,
  full,
  greaterEqual,
  max,
  maximum,
  mul,
  reshape,
  sqrt,
  square,
  sub,
  sum,
  where,
} from '../ops';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import type { SolveReport } from './solve';

export interface FixedPointOptions {
  /** ‖F(x) − x‖ ≤ tolerance·max(√D, ‖start‖, ‖F(start)‖), by row; default 32 eps of the type. */
  readonly tolerance?: number;
  /** Most evaluations of F; default 1000. What has not converged by then is flagged. */
  readonly mostIterations?: number;
  /** Steps that the acceleration looks back; 0: plain iteration. Default 4. */
  readonly anderson?: number;
}

/** @throws FlowError ARGUMENT */
export function checkFixedPoint(where: string, options: FixedPointOptions): void {
  const { tolerance, mostIterations, anderson } = options;
  const whole = (value: number | undefined, least: number) =>
    value === undefined || (Number.isSafeInteger(value) && value >= least);
  const fail = (what: string, wanted: string, got: unknown) => {
    throw new FlowError('ARGUMENT', expected(where, what, wanted, String(got), 'correct it'));
  };
  if (tolerance !== undefined && !(tolerance > 0))
    fail('solver.tolerance', 'a number above 0', tolerance);
  if (!whole(mostIterations, 1))
    fail('solver.mostIterations', 'a whole number ≥ 1', mostIterations);
  if (!whole(anderson, 0)) fail('solver.anderson', 'a whole number ≥ 0', anderson);
}

const norms = (x: Tensor): Tensor => sqrt(sum(square(cast(x, 'float64')), -1));
const column = (x: Tensor): Tensor => reshape(x, [x.size, 1]);
const dots = (a: Tensor, b: Tensor): Tensor => column(sum(mul(a, b), -1, { dtype: 'float64' }));

/** A point and its image. */
interface Point {
  readonly x: Tensor;
  readonly image: Tensor;
  /** image − x. */
  readonly step: Tensor;
  /** [N] float64: its norm. */
  readonly residual: Tensor;
}

/** How a step and its change hang together: one pair a step back. */
interface Secant {
  /** Change of the image. */
  readonly image: Tensor;
  readonly step: Tensor;
}

/** Relative to the mean of the diagonal: two steps back that are nearly parallel say little more than one. */
const ridge = 1e-10;

/** The step of Walker and Ni, equation 2.2 with β = 1: image − Σ γ_j·Δimage_j, γ = argmin ‖step − Σ γ_j·Δstep_j‖. */
function accelerated({ image, step }: Point, secants: readonly Secant[]): Tensor {
  const count = secants.length;
  const gram = secants.map((a, i) => secants.slice(0, i + 1).map((b) => dots(a.step, b.step)));
  const scale = gram.map((row, i) => row[i] as Tensor).reduce(add);
  const entries = secants.flatMap((_, i) =>
    secants.map((_other, j) => {
      const entry = gram[Math.max(i, j)]?.[Math.min(i, j)] as Tensor;
      return i === j ? add(entry, mul(scale, ridge / count)) : entry;
    }),
  );
  const matrices = reshape(concatColumns(entries), [image.rows * count, count]);
  const right = concatColumns(secants.map((secant) => dots(secant.step, step)));
  // The matrices are symmetric: so are their inverses.
  const inverses = reshape(batchInverse(matrices).inverseTransposed, [image.rows, count * count]);
  const dtype = image.dtype as FloatDType;
  return secants.reduce((x, secant, j) => {
    const row = concatColumns(
      Array.from({ length: count }, (_, i) => pick(inverses, j * count + i)),
    );
    const gamma = cast(column(sum(mul(row, right), -1)), dtype);
    return sub(x, mul(secant.image, gamma));
  }, image);
}

const pick = (x: Tensor, at: number): Tensor => x.view([x.rows, 1], x.offset + at, x.rowStride);

interface State extends Point {
  /** Each float64 [N]: 1 where the next step is a plain one; */
  readonly plain: Tensor;
  /** where the row goes on: it has not converged, and its last plain step made it better; */
  readonly open: Tensor;
  /** and how often F was evaluated for it. */
  readonly evaluations: Tensor;
  /** Latest first. */
  readonly secants: readonly Secant[];
}

const not = (flag: Tensor): Tensor => sub(1, flag);
const tensorsOf = ({ secants, ...rest }: State): Tensor[] => [
  ...Object.values(rest),
  ...secants.flatMap(({ image, step }) => [image, step]),
];

/**
 * x of x = F(x), for each row. Not recordable: it reads how far it is.
 *
 * @param map F: [N, D] → [N, D], each row by itself
 * @param start [N, D]; its norm and its image's are the scale of the tolerance
 * @param floor in place of √D: the least scale
 * @returns x and how it went, without a tape; the residual of the report is relative to the scale
 */
export function fixedPoint(
  map: (x: Tensor) => Tensor,
  start: Tensor,
  options: FixedPointOptions = {},
  floor = Math.sqrt(start.cols),
): { x: Tensor; solve: SolveReport } {
  const dtype = start.dtype as FloatDType;
  const { tolerance = 32 * epsilonOf(dtype), mostIterations = 1000, anderson = 4 } = options;
  const evaluate = (x: Tensor): Point => {
    const image = map(x);
    const step = sub(image, x);
    return { x, image, step, residual: norms(step) };
  };

  const advance = (from: State, bound: Tensor): State => {
    const next =
      from.secants.length === 0
        ? from.image
        : where(cast(column(from.plain), dtype), from.image, accelerated(from, from.secants));
    const point = evaluate(where(cast(column(from.open), dtype), next, from.x));
    // NaN and infinity are not better.
    const smaller = mul(
      not(greaterEqual(point.residual, from.residual)),
      greaterEqual(Number.MAX_VALUE, point.residual),
    );
    const better = mul(from.open, smaller);
    const taken = cast(column(better), dtype);
    const residual = where(better, point.residual, from.residual);
    const stuck = mul(from.plain, not(better));
    const secant = { image: sub(point.image, from.image), step: sub(point.step, from.step) };
    return {
      x: where(taken, point.x, from.x),
      image: where(taken, point.image, from.image),
      step: where(taken, point.step, from.step),
      residual,
      plain: not(better),
      open: mul(from.open, mul(not(greaterEqual(bound, residual)), not(stuck))),
      evaluations: add(from.evaluations, from.open),
      secants: anderson === 0 ? [] : [secant, ...from.secants].slice(0, anderson),
    };
  };

  return withoutTape(() =>
    scope(() => {
      const first = evaluate(start);
      const scale = maximum(maximum(norms(start), norms(first.image)), floor);
      const bound = mul(scale, tolerance);
      const ones = full([start.rows], 1, 'float64');
      let state: State = {
        ...first,
        plain: ones,
        open: not(greaterEqual(bound, first.residual)),
        evaluations: ones,
        secants: [],
      };
      for (let k = 1; k < mostIterations && start.rows > 0; k++) {
        if (scope(() => max(state.open).item()) === 0) break;
        const before = state;
        state = scope(() => advance(before, bound));
        const alive = new Set(tensorsOf(state));
        for (const tensor of tensorsOf(before))
          if (!alive.has(tensor) && tensor !== start && tensor !== ones) tensor.dispose();
      }
      const { image, residual, evaluations } = state;
      return {
        // A step further than the point whose residual is known.
        x: image,
        solve: {
          iterations: cast(evaluations, 'int32'),
          residual: div(residual, maximum(scale, Number.MIN_VALUE)),
          converged: cast(greaterEqual(bound, residual), 'int32'),
        },
      };
    }),
  );
}

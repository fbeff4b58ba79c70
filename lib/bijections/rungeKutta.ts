/**
 * Explicit Runge–Kutta methods on tensors. Hairer, Nørsett, Wanner 1993, "Solving Ordinary Differential Equations I",
 * sections II.1 and II.4; Dormand and Prince 1980.
 *
 * A state is a list of tensors: first y [N, D], what the rates depend on; then quadratures, which they do not: numbers of the
 * rows [N] float64, and tensors of other shapes that belong to all rows (gradients of parameters).
 */
import type { FloatDType } from '../dtype';
import { add, affineScalar, concatColumns, matmul, reshape } from '../ops';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';

export interface Tableau {
  /** Row i: the weights of the stages before stage i. */
  readonly a: readonly (readonly number[])[];
  /** Weights of the stages in the step. */
  readonly b: readonly number[];
  readonly c: readonly number[];
  /** b less the weights of the embedded method, with one more for the rates at the end of the step. */
  readonly error?: readonly number[];
}

export const euler: Tableau = { a: [[]], b: [1], c: [0] };
export const midpoint: Tableau = { a: [[], [1 / 2]], b: [0, 1], c: [0, 1 / 2] };
export const rk4: Tableau = {
  a: [[], [1 / 2], [0, 1 / 2], [0, 0, 1]],
  b: [1 / 6, 1 / 3, 1 / 3, 1 / 6],
  c: [0, 1 / 2, 1 / 2, 1],
};

const fifth = [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84];
const fourth = [5179 / 57600, 0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40];
/** 5(4), first same as last: the rates at the end of a step are those at the start of the next. */
export const dopri5: Tableau = {
  a: [
    [],
    [1 / 5],
    [3 / 40, 9 / 40],
    [44 / 45, -56 / 15, 32 / 9],
    [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
    [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
  ],
  b: fifth,
  c: [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1],
  error: fourth.map((weight, i) => (fifth[i] ?? 0) - weight),
};

/** The rates of all tensors of the state, at one moment, as a function of y. */
export type Rates = (y: Tensor) => readonly Tensor[];
/** Rates at some moments. */
export type RatesAt = (times: readonly number[]) => readonly Rates[];

/** start + h·Σ weights_i·parts_i; terms of the same weight are added first. Null: nothing. */
export function combined(
  start: Tensor | null,
  h: number,
  weights: readonly number[],
  parts: readonly Tensor[],
): Tensor | null {
  return scope(() => {
    const groups = new Map<number, Tensor>();
    for (const [i, part] of parts.entries()) {
      const weight = weights[i] ?? 0;
      if (weight === 0) continue;
      const before = groups.get(weight);
      groups.set(weight, before ? add(before, part) : part);
    }
    let total = start;
    for (const [weight, part] of groups) {
      const term = affineScalar(part, h * weight);
      total = total ? add(total, term) : term;
    }
    return total;
  });
}

/**
 * The stages of a step: rates of all tensors of the state at each.
 *
 * @param rates at t + c_i·h for each stage i
 * @param first the rates of stage 0, where they are known
 */
export function stagesOf(
  { a }: Tableau,
  rates: readonly Rates[],
  h: number,
  y: Tensor,
  first: readonly Tensor[] | null = null,
): (readonly Tensor[])[] {
  const found: (readonly Tensor[])[] = first ? [first] : [];
  for (let i = found.length; i < a.length; i++) {
    const slopes = found.map((stage) => stage[0] as Tensor);
    const at = i === 0 ? y : (combined(y, h, a[i] as readonly number[], slopes) as Tensor);
    found.push((rates[i] as Rates)(at));
  }
  return found;
}

/** Σ_k weights_k·parts_k of numbers of the rows, [N] each: one product for a whole solve. */
function weightedSum(parts: readonly Tensor[], weights: readonly number[]): Tensor {
  return scope(() => {
    const { size, dtype } = parts[0] as Tensor;
    const held = dtype === 'float32' ? Float32Array.from(weights) : Float64Array.from(weights);
    const beside = concatColumns(parts.map((part) => reshape(part, [size, 1])));
    return reshape(matmul(beside, tensorOfArray(held, [weights.length, 1])), [size]);
  });
}

/** One step of a given size. @returns y and the increments of the quadratures */
export function stepOf(
  tableau: Tableau,
  at: RatesAt,
  t: number,
  h: number,
  y: Tensor,
): readonly Tensor[] {
  return scope(() => {
    const stages = stagesOf(tableau, at(tableau.c.map((c) => t + c * h)), h, y);
    return (stages[0] as readonly Tensor[]).map((_, q) => {
      const parts = stages.map((stage) => stage[q] as Tensor);
      return combined(q === 0 ? y : null, h, tableau.b, parts) as Tensor;
    });
  });
}

/** Steps whose moments are made ready at once, and whose quadratures are added up at once. */
const groupOfSteps = 4;

/**
 * So many steps of one size, on the open tape. Reads nothing: it can be recorded.
 *
 * @param onStep told t, h and y at the start of each step
 * @returns y at the end, and the quadratures, which are numbers of the rows
 */
export function integrateFixed(
  tableau: Tableau,
  at: RatesAt,
  [from, to]: readonly [number, number],
  steps: number,
  start: Tensor,
  onStep: (t: number, h: number, y: Tensor) => void = () => {},
): readonly Tensor[] {
  const h = (to - from) / steps;
  const group = (first: number, y: Tensor): readonly Tensor[] => {
    const last = Math.min(steps, first + groupOfSteps);
    const places = Array.from({ length: last - first }, (_, k) =>
      tableau.c.map((c) => first + k + c),
    );
    const distinct = [...new Set(places.flat())];
    const rates = at(distinct.map((place) => (place === steps ? to : from + place * h)));
    const of = new Map(distinct.map((place, i) => [place, rates[i] as Rates]));
    const found: (readonly Tensor[])[] = [];
    const weights: number[] = [];
    let z = y;
    for (const [k, own] of places.entries()) {
      onStep(from + (first + k) * h, h, z);
      const stages = stagesOf(
        tableau,
        own.map((place) => of.get(place) as Rates),
        h,
        z,
      );
      const slopes = stages.map((stage) => stage[0] as Tensor);
      z = combined(z, h, tableau.b, slopes) as Tensor;
      for (const [i, b] of tableau.b.entries()) {
        if (b === 0) continue;
        weights.push(h * b);
        found.push((stages[i] as readonly Tensor[]).slice(1));
      }
    }
    const count = found[0]?.length ?? 0;
    const sums = Array.from({ length: count }, (_, q) =>
      weightedSum(
        found.map((stage) => stage[q] as Tensor),
        weights,
      ),
    );
    return [z, ...sums];
  };
  return scope(() => {
    let state = scope(() => group(0, start));
    for (let first = groupOfSteps; first < steps; first += groupOfSteps) {
      const before = state;
      state = scope(() => {
        const [z, ...sums] = group(first, before[0] as Tensor);
        return [z as Tensor, ...sums.map((sum, q) => add(before[q + 1] as Tensor, sum))];
      });
      for (const tensor of before) tensor.dispose();
    }
    return state;
  });
}

/** The type of what a solve works on. */
export const floatOf = (tensor: Tensor): FloatDType => tensor.dtype as FloatDType;

/** Families of increasing functions of one number, whose parameters a conditioner gives. */
import { expected, FlowError } from '../errors';
import { anything, checkArgument, checkOptions, object, type Rules, word } from '../options';

/**
 * P parameters a number, f increasing on the whole line with range the whole line:
 * - `dsf`: K sigmoids (Huang et al. 2018, "Neural Autoregressive Flows", eq. 8), P = 3·K: raw slopes (a = softplus(raw) +
 *   leastSlope), shifts b, raw weights (softmax). With `layers` > 1 the dense form (DDSF, eq. 10–11), whose hidden layers
 *   have K numbers;
 * - `sumOfSquares`: f′ a sum of squares of K polynomials of degree R (Jaini et al. 2019), P = 1 + K·(R + 1): the constant,
 *   then the coefficients of each polynomial beside its constant 1;
 * - `bernstein`: a Bernstein polynomial of degree M on ±bound with increasing coefficients (Ramasinghe et al. 2021), P =
 *   M + 1: the shift of the first coefficient, then the raw steps;
 * - `logisticMixture`: the distribution function of K logistics through a logit, scaled and shifted (Ho et al. 2019, Flow++, eq. 9–12), P
 *   = 2 + 3·K: raw log-scale and shift of the result; raw weights (softmax), means and raw log-scales of the logistics. Each log-scale
 *   is bound·tanh(raw/bound).
 *
 * Polynomials go on as their tangents beyond ±bound, and are the identity where all parameters are 0.
 */
export type MonotoneFamily =
  | {
      readonly kind: 'dsf';
      /** K. */
      readonly hidden: number;
      /** Default 1: DSF. */
      readonly layers?: number;
      /** The smallest slope of a sigmoid's argument; default 1e-3. */
      readonly leastSlope?: number;
    }
  | {
      readonly kind: 'sumOfSquares';
      /** K: default 2 would do, since two squares give every positive polynomial. */
      readonly squares: number;
      /** R: f has the degree 2·R + 1. */
      readonly degree: number;
      /** Default 10; Infinity: the polynomial everywhere. */
      readonly bound?: number;
      /** The smallest f′; default 1e-3. */
      readonly leastSlope?: number;
    }
  | {
      readonly kind: 'bernstein';
      /** M. */
      readonly degree: number;
      /** Default 10. */
      readonly bound?: number;
      /** The smallest f′; default 1e-3. */
      readonly leastSlope?: number;
    }
  | {
      readonly kind: 'logisticMixture';
      /** K. */
      readonly components: number;
      /** Of the log-scales; default 5. */
      readonly bound?: number;
    };

function wholeNumber(where: string, what: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= 4096) return value;
  throw new FlowError(
    'ARGUMENT',
    expected(
      where,
      what,
      `a whole number from ${least} to 4096`,
      `${value}`,
      'the usual ones are below 32',
    ),
  );
}

function positive(where: string, what: string, value: number, infinite = false): number {
  if (typeof value === 'number' && value > 0 && (infinite || value < Number.POSITIVE_INFINITY))
    return value;
  throw new FlowError(
    'ARGUMENT',
    expected(where, what, 'a positive number', `${value}`, 'leave it out for the default'),
  );
}

/** The options of each family; their values are checked as they are encoded. */
const shared = { kind: anything, bound: anything, leastSlope: anything };
const familyRules = {
  dsf: { kind: anything, hidden: anything, layers: anything, leastSlope: anything },
  sumOfSquares: { ...shared, squares: anything, degree: anything },
  bernstein: { ...shared, degree: anything },
  logisticMixture: { kind: anything, components: anything, bound: anything },
};
const kindRule = word(...Object.keys(familyRules));

/** Family, two sizes, bound, least slope, as native/ops/monotone.h reads them. @throws FlowError ARGUMENT */
export function encodeMonotone(where: string, family: MonotoneFamily): readonly number[] {
  checkArgument(where, 'family', family, object);
  checkArgument(where, 'family', family.kind, kindRule);
  checkOptions(where, family, familyRules[family.kind] as Rules<MonotoneFamily>);
  if (family.kind === 'logisticMixture') {
    const components = wholeNumber(where, 'components', family.components, 1);
    return [3, components, 0, positive(where, 'bound', family.bound ?? 5), 1];
  }
  const least = positive(where, 'leastSlope', family.leastSlope ?? 1e-3);
  if (family.kind === 'dsf') {
    const hidden = wholeNumber(where, 'hidden', family.hidden, 1);
    return [0, hidden, wholeNumber(where, 'layers', family.layers ?? 1, 1), 1, least];
  }
  if (!(least < 1)) positive(where, 'leastSlope below 1', Number.NaN);
  if (family.kind === 'sumOfSquares') {
    const squares = wholeNumber(where, 'squares', family.squares, 1);
    const degree = wholeNumber(where, 'degree', family.degree, 0);
    return [1, squares, degree, positive(where, 'bound', family.bound ?? 10, true), least];
  }
  if (family.kind === 'bernstein') {
    const degree = wholeNumber(where, 'degree', family.degree, 1);
    return [2, degree, 0, positive(where, 'bound', family.bound ?? 10), least];
  }
  const { kind } = family as { kind: unknown };
  throw new FlowError(
    'ARGUMENT',
    expected(
      where,
      'family',
      'dsf, sumOfSquares, bernstein or logisticMixture',
      String(kind),
      'pass one of them',
    ),
  );
}

/** P: parameters of each number. */
export function monotoneParams(family: MonotoneFamily): number {
  encodeMonotone('monotoneParams', family);
  if (family.kind === 'sumOfSquares') return 1 + family.squares * (family.degree + 1);
  if (family.kind === 'bernstein') return family.degree + 1;
  if (family.kind === 'logisticMixture') return 2 + 3 * family.components;
  const { hidden: k, layers = 1 } = family;
  let count = 0;
  for (let l = 0; l < layers; l++) count += k * (2 + (l < layers - 1 ? k : 1) + (l > 0 ? k : 0));
  return count;
}

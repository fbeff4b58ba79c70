/** Monotone splines of each element, with bins made of raw numbers. */
import { expected, FlowError } from '../errors';
import { anything, checkOptions, number, type Rules } from '../options';
import { formatShape } from '../shape';
import type { Tensor } from '../tensor/tensor';
import { refuseSecondGradient, requireFloat, requireSameDType } from './check';
import { apply, type OpDefinition } from './define';
import { sumTo } from './sum';

/**
 * - `rationalQuadratic`: Durkan et al. 2019, "Neural Spline Flows": K widths, K heights, and slopes at the knots;
 * - `quadratic`: Müller et al. 2019, "Neural Importance Sampling": K widths, and slopes at the knots, straight between them;
 * - `linear`: Müller et al. 2019: K heights of bins of one width; its slope jumps at the knots;
 * - `cubic`: Durkan et al. 2019, "Cubic-Spline Flows": K widths and K heights; the slopes are Steffen's.
 */
export type SplineKind = 'rationalQuadratic' | 'quadratic' | 'linear' | 'cubic';

/**
 * Outside of the box: `linear`: the identity, which the slopes at the ends join; `learned`: straight on with the slope of the
 * end, two numbers more; `circular`: periodic, f(x + right − left) = f(x) + right − left, for angles.
 */
export type SplineTails = 'linear' | 'learned' | 'circular';

export interface SplineOptions {
  /** Default rationalQuadratic. */
  readonly kind?: SplineKind;
  /** Default linear. */
  readonly tails?: SplineTails;
  /** K, default 8. */
  readonly bins?: number;
  /** The box [left, right] in x and in y: [−bound, bound], default 3; for angles Math.PI. Or both ends. */
  readonly bound?: number | readonly [number, number];
  /** The least width and height of a bin, as fractions of the box, and the least slope at a knot; default 1e-3 each. */
  readonly leastWidth?: number;
  readonly leastHeight?: number;
  readonly leastSlope?: number;
}

const kinds: Record<SplineKind, number> = {
  rationalQuadratic: 0,
  quadratic: 1,
  linear: 2,
  cubic: 3,
};
const tailCodes: Record<SplineTails, number> = { linear: 0, learned: 1, circular: 2 };

const splineRules: Rules<SplineOptions> = {
  kind: anything,
  tails: anything,
  bins: anything,
  bound: anything,
  leastWidth: number,
  leastHeight: number,
  leastSlope: number,
};

/** The options with their defaults, checked. */
export function splineSettings(where: string, options: SplineOptions): Required<SplineOptions> {
  checkOptions(where, options, splineRules);
  const { kind = 'rationalQuadratic', tails = 'linear', bins = 8, bound = 3 } = options;
  const { leastWidth = 1e-3, leastHeight = 1e-3, leastSlope = 1e-3 } = options;
  const wrong = (what: string, wanted: string, got: unknown, remedy: string): never => {
    throw new FlowError('ARGUMENT', expected(where, what, wanted, String(got), remedy));
  };
  if (!Object.hasOwn(kinds, kind))
    wrong('kind', Object.keys(kinds).join(', '), kind, 'pass one of these names');
  if (!Object.hasOwn(tailCodes, tails))
    wrong('tails', Object.keys(tailCodes).join(', '), tails, 'pass one of these names');
  if (!(Number.isSafeInteger(bins) && bins >= 1 && bins <= 1024))
    wrong('bins', 'a whole number from 1 to 1024', bins, 'the usual ones are 4 to 32');
  const [left, right] = typeof bound === 'number' ? [-bound, bound] : bound;
  if (!(left < right && right - left < Number.POSITIVE_INFINITY))
    wrong(
      'bound',
      'a positive number, or two ends',
      bound,
      'the usual one is 3 for standardised data',
    );
  for (const [what, least] of [
    ['leastWidth', leastWidth],
    ['leastHeight', leastHeight],
  ] as const) {
    if (!(least >= 0 && least * bins < 1))
      wrong(what, `from 0 to less than 1/bins = ${1 / bins}`, least, 'the usual one is 1e-3');
  }
  if (!(leastSlope > 0 && leastSlope < 1))
    wrong('leastSlope', 'a number in (0, 1)', leastSlope, 'the usual one is 1e-3');
  return { kind, tails, bins, bound, leastWidth, leastHeight, leastSlope };
}

/** P: numbers that a feature takes. */
export function splineParameters(options: SplineOptions): number {
  return parametersOf(splineSettings('splineParameters', options));
}

function parametersOf({ kind, tails, bins }: Required<SplineOptions>): number {
  if (kind === 'linear') return bins;
  if (kind === 'cubic') return 2 * bins + (tails === 'learned' ? 2 : 0);
  const slopes = tails === 'learned' ? bins + 1 : tails === 'circular' ? bins : bins - 1;
  return (kind === 'quadratic' ? 1 : 2) * bins + slopes;
}

interface Attributes extends Required<SplineOptions> {
  readonly inverse: boolean;
}

function encode(attributes: Attributes): readonly number[] {
  const { kind, tails, bins, bound, leastWidth, leastHeight, leastSlope, inverse } = attributes;
  const [left, right] = typeof bound === 'number' ? [-bound, bound] : bound;
  const least = [leastWidth, leastHeight, leastSlope];
  return [kinds[kind], tailCodes[tails], bins, left, right, ...least, inverse ? 1 : 0];
}

const gradient: OpDefinition<Attributes> = {
  name: 'spline_grad',
  outputs([x, params]) {
    const { shape, dtype, rows } = x as Tensor;
    return [
      { shape, dtype },
      { shape: [rows, (params as Tensor).cols], dtype },
    ];
  },
  encode,
  saves: { inputs: [], outputs: [] },
  vjp({ d }) {
    refuseSecondGradient('spline', d);
    return [null, null, null, null];
  },
};

function define(inverse: boolean): OpDefinition<Attributes> {
  const where = inverse ? 'splineInverse' : 'spline';
  return {
    name: 'spline',
    outputs([input, given], attributes) {
      const [x, params] = [input as Tensor, given as Tensor];
      requireFloat(where, 'x', x);
      requireSameDType(where, 'params', params, x);
      const count = parametersOf(attributes);
      const fits = params.rows === x.rows || params.rows === 1;
      if (x.shape.length !== 2 || !fits || params.cols !== count * x.cols) {
        throw new FlowError(
          'SHAPE',
          expected(
            where,
            'params',
            `shape [N, D·P] = [${x.rows}, ${count * x.cols}] or [1, ${count * x.cols}] for x ${formatShape(x.shape)}`,
            formatShape(params.shape),
            `a feature takes P = ${count} numbers, side by side: splineParameters(options)`,
          ),
        );
      }
      return [
        { shape: x.shape, dtype: x.dtype },
        { shape: [x.rows], dtype: 'float64' },
      ];
    },
    encode,
    // Both gradients are written in x: the input of the map, the output of its inverse.
    saves: inverse ? { inputs: [1], outputs: [0] } : { inputs: [0, 1], outputs: [] },
    vjp({ inputs, outputs, d: [dOut = null, dLogDet = null], attributes }) {
      const x = (inverse ? outputs[0] : inputs[0]) as Tensor;
      const params = inputs[inverse ? 0 : 1] as Tensor;
      refuseSecondGradient(where, [x, params, dOut, dLogDet]);
      const [dIn, dParams] = apply(gradient, [x, params, dOut, dLogDet], attributes);
      return [dIn as Tensor, sumTo(dParams as Tensor, params.shape)];
    },
  };
}

/** The attributes of the forward map as made_inverse reads them too: without the direction. */
export function encodeSpline(where: string, options: SplineOptions): readonly number[] {
  return encode({ ...splineSettings(where, options), inverse: false }).slice(0, -1);
}

/**
 * Backward of {@link spline} by y and logDet together: gradients by x [N, D] and, a row a sample, by params [N, D·P].
 *
 * @param dy [N, D], or null for zero
 * @param dLogDet [N] float64, or null for zero
 */
export function splineGrad(
  x: Tensor,
  params: Tensor,
  dy: Tensor | null,
  dLogDet: Tensor | null,
  options: SplineOptions,
): { dx: Tensor; dParams: Tensor } {
  const settings = { ...splineSettings('splineGrad', options), inverse: false };
  const [dx, dParams] = apply(gradient, [x, params, dy, dLogDet], settings) as [Tensor, Tensor];
  return { dx, dParams };
}

const forward = define(false);
const backward = define(true);

/**
 * y = f(x) of each element, f a monotone spline of its own on the box, with the numbers of each feature side by side: widths,
 * heights, slopes, as `kind` has them. Widths and heights are softmaxes, slopes are softplus, 1 for the number 0: numbers of 0
 * make the identity. Nothing asserts: outside of the box the tails are taken, and gradients are finite there too. The gradient
 * is fused and cannot be differentiated again.
 *
 * @param x [N, D] float32 or float64
 * @param params [N, D·P], or one row for all; P = {@link splineParameters}
 * @returns y [N, D], and logDet [N] float64, summed in float64
 * @throws FlowError SHAPE, DTYPE, ARGUMENT
 */
export function spline(
  x: Tensor,
  params: Tensor,
  options: SplineOptions = {},
): { y: Tensor; logDet: Tensor } {
  const settings = splineSettings('spline', options);
  const [y, logDet] = apply(forward, [x, params], { ...settings, inverse: false });
  return { y: y as Tensor, logDet: logDet as Tensor };
}

/**
 * The inverse of {@link spline}: the root of a quadratic, its discriminant kept at 0 or above; of a cubic by Newton's steps
 * inside of a bracket, to the last digit. Gradients by the implicit function theorem.
 *
 * @param y [N, D]
 * @returns x [N, D], and logDet [N] float64 = log|det ∂x/∂y|
 * @throws FlowError SHAPE, DTYPE, ARGUMENT
 */
export function splineInverse(
  y: Tensor,
  params: Tensor,
  options: SplineOptions = {},
): { x: Tensor; logDet: Tensor } {
  const settings = splineSettings('splineInverse', options);
  const [x, logDet] = apply(backward, [y, params], { ...settings, inverse: true });
  return { x: x as Tensor, logDet: logDet as Tensor };
}

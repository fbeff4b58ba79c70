/**
 * Derivatives by central differences with a step study, float64: the oracle of every hand-written gradient.
 *
 * D(h) = (f(x + h) − f(x − h))/2h has the error c·h² + O(h⁴) + ε|f|/h. Richardson's table over halved steps
 * removes h², h⁴, …; of all its entries the one with the smallest estimated error is taken (Ridders 1982), so
 * that neither truncation nor rounding needs a step chosen by hand. A kink (ReLU) or a domain edge between
 * x − h and x + h shows as a large `error`.
 */

/** A derivative and an estimate of its absolute error. */
export interface Derivative {
  readonly value: number;
  readonly error: number;
}

/** f′(0) of a function of one number, by Ridders' method; `step` is the largest step. */
export function derivative(f: (t: number) => number, step = 0.05): Derivative {
  const rows = 10;
  const shrink = 1.6;
  let h = step;
  let previous = [(f(h) - f(-h)) / (2 * h)];
  let best: Derivative = { value: previous[0]!, error: Number.POSITIVE_INFINITY };
  for (let i = 1; i < rows; i++) {
    h /= shrink;
    const current = [(f(h) - f(-h)) / (2 * h)];
    let factor = shrink * shrink;
    for (let j = 1; j <= i; j++) {
      current.push((current[j - 1]! * factor - previous[j - 1]!) / (factor - 1));
      factor *= shrink * shrink;
      const error = Math.max(
        Math.abs(current[j]! - current[j - 1]!),
        Math.abs(current[j]! - previous[j - 1]!),
      );
      if (error <= best.error) best = { value: current[j]!, error };
    }
    // The table has turned from better to worse: rounding has taken over.
    if (Math.abs(current[i]! - previous[i - 1]!) >= 2 * best.error && best.error < 1e-8) break;
    previous = current;
  }
  return best;
}

/** A gradient or Jacobian and the largest estimated error of its entries. */
export interface Derivatives {
  readonly values: Float64Array;
  readonly error: number;
}

/** ∂f/∂x of a number f(x) for x [D]: [D]. */
export function gradient(
  f: (x: Float64Array) => number,
  x: ArrayLike<number>,
  step?: number,
): Derivatives {
  const values = new Float64Array(x.length);
  let error = 0;
  for (let i = 0; i < x.length; i++) {
    const moved = (t: number) => {
      const point = Float64Array.from(x);
      point[i]! += t;
      return f(point);
    };
    const one = derivative(moved, step);
    values[i] = one.value;
    error = Math.max(error, one.error);
  }
  return { values, error };
}

/** ∂y_r/∂x_c of a map y(x): [Dout, Din], row-major. */
export function jacobian(
  f: (x: Float64Array) => ArrayLike<number>,
  x: ArrayLike<number>,
  step?: number,
): Derivatives {
  const outputs = f(Float64Array.from(x)).length;
  const values = new Float64Array(outputs * x.length);
  let error = 0;
  for (let r = 0; r < outputs; r++) {
    const row = gradient((point) => f(point)[r]!, x, step);
    values.set(row.values, r * x.length);
    error = Math.max(error, row.error);
  }
  return { values, error };
}

/**
 * Taylor slope of a gradient: |f(x + h·v) − f(x) − h·g·v| for h = 2^−k; each ratio of neighbours is 4 for a right
 * gradient (the error is of second order) and 2 for a wrong one.
 */
export function taylorRatios(
  f: (x: Float64Array) => number,
  x: ArrayLike<number>,
  g: ArrayLike<number>,
  direction: ArrayLike<number>,
  steps: readonly number[] = [1e-2, 5e-3, 2.5e-3, 1.25e-3],
): number[] {
  let slope = 0;
  for (let i = 0; i < x.length; i++) slope += g[i]! * direction[i]!;
  const start = f(Float64Array.from(x));
  const rests = steps.map((h) => {
    const moved = Float64Array.from(x, (value, i) => value + h * direction[i]!);
    return Math.abs(f(moved) - start - h * slope);
  });
  return rests.slice(1).map((rest, i) => rests[i]! / rest);
}

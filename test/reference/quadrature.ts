/** Numeric integrals by composite Gauss–Legendre quadrature, float64: does a density integrate to one? */

/** Nodes and weights of Gauss–Legendre on [−1, 1] by Newton's method on P_n (Press et al., section 4.6). */
export function gaussLegendre(points: number): { nodes: number[]; weights: number[] } {
  const nodes: number[] = [];
  const weights: number[] = [];
  for (let i = 0; i < points; i++) {
    let z = Math.cos((Math.PI * (i + 0.75)) / (points + 0.5));
    let slope = 0;
    for (let pass = 0; pass < 100; pass++) {
      let [p, before] = [1, 0];
      for (let j = 1; j <= points; j++) {
        [p, before] = [((2 * j - 1) * z * p - (j - 1) * before) / j, p];
      }
      slope = (points * (z * p - before)) / (z * z - 1);
      const step = p / slope;
      z -= step;
      if (Math.abs(step) < 1e-16) break;
    }
    nodes.push(z);
    weights.push(2 / ((1 - z * z) * slope * slope));
  }
  return { nodes, weights };
}

/** All nodes and weights of `panels` equal panels on [from, to]; with them, any batch of points is one call. */
export function quadratureGrid(
  from: number,
  to: number,
  panels: number,
  points = 10,
): { nodes: Float64Array; weights: Float64Array } {
  const rule = gaussLegendre(points);
  const nodes = new Float64Array(panels * points);
  const weights = new Float64Array(panels * points);
  const half = (to - from) / panels / 2;
  for (let p = 0; p < panels; p++) {
    const middle = from + (2 * p + 1) * half;
    for (let i = 0; i < points; i++) {
      nodes[p * points + i] = middle + half * rule.nodes[i]!;
      weights[p * points + i] = half * rule.weights[i]!;
    }
  }
  return { nodes, weights };
}

/** ∫ f over [from, to]; `f` gets all nodes [M] at once and gives [M]. */
export function integrate1d(
  f: (x: Float64Array) => ArrayLike<number>,
  from: number,
  to: number,
  panels = 40,
  points = 10,
): number {
  const { nodes, weights } = quadratureGrid(from, to, panels, points);
  const values = f(nodes);
  let total = 0;
  for (let i = 0; i < nodes.length; i++) total += weights[i]! * values[i]!;
  return total;
}

/** ∫∫ f over the square [from, to]²; `f` gets rows [M·M, 2] at once and gives [M·M]. */
export function integrate2d(
  f: (x: Float64Array) => ArrayLike<number>,
  from: number,
  to: number,
  panels = 16,
  points = 8,
): number {
  const { nodes, weights } = quadratureGrid(from, to, panels, points);
  const size = nodes.length;
  const rows = new Float64Array(size * size * 2);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      rows[2 * (i * size + j)] = nodes[i]!;
      rows[2 * (i * size + j) + 1] = nodes[j]!;
    }
  }
  const values = f(rows);
  let total = 0;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) total += weights[i]! * weights[j]! * values[i * size + j]!;
  }
  return total;
}

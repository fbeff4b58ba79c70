import { describe, expect, it } from 'vitest';
import { gaussLegendre, integrate1d, integrate2d } from './quadrature';

describe('quadrature', () => {
  it('has the nodes of the three-point rule', () => {
    const { nodes, weights } = gaussLegendre(3);
    expect(nodes[0]).toBeCloseTo(Math.sqrt(3 / 5), 15);
    expect(nodes[1]).toBeCloseTo(0, 15);
    expect(weights[0]).toBeCloseTo(5 / 9, 14);
    expect(weights[1]).toBeCloseTo(8 / 9, 14);
  });

  it('is exact for polynomials of degree 2n − 1', () => {
    const cube = (x: Float64Array) => x.map((t) => 7 * t ** 5 - t ** 2 + 1);
    expect(integrate1d(cube, -1, 2, 1, 3)).toBeCloseTo((7 * 63) / 6 - 3 + 3, 12);
  });

  it('integrates over the plane', () => {
    const f = (x: Float64Array) =>
      Float64Array.from({ length: x.length / 2 }, (_, i) =>
        Math.exp(-(x[2 * i]! ** 2) - 2 * x[2 * i + 1]! ** 2 + x[2 * i]! * x[2 * i + 1]!),
      );
    // ∫ exp(−xᵀAx) = π/√det A, A = [[1, −½], [−½, 2]].
    expect(integrate2d(f, -9, 9, 20)).toBeCloseTo(Math.PI / Math.sqrt(1.75), 11);
  });
});
